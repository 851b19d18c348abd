"""The section ``cluster``: every value that no launcher could use, with what is needed."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from guides import GUIDES, commands

from harness.check.find import find_problems
from harness.cli import main
from harness.config.compose import compose_config
from harness.errors import ConfigurationError

CPU = ["experiment=quickstart_tiny", "cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0"]


def told(*words: str) -> list[str]:
    given = [*CPU, *words]
    return [problem.message for problem in find_problems(compose_config(given), given) if not problem.warning]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("cluster.launcher=pbs", "cluster.launcher=pbs: does not exist; there are local, slurm, debug."),
        ("cluster.nodes=0", "cluster.nodes=0: a number of 1 or more is needed."),
        ("trainer.nnodes=2", "trainer.nnodes=2: Slurm is asked for cluster.nodes=1."),
        ("cluster.nodes=two", "cluster.nodes=two: a number of 1 or more is needed."),
        ("cluster.cpus_per_node=1.5", "cluster.cpus_per_node=1.5: a number of 1 or more is needed."),
        ("cluster.requeues=-1", "cluster.requeues=-1: a number of 0 or more is needed."),
        (
            "cluster.watchdog.minutes=0",
            "cluster.watchdog.minutes=0: a number above 0 is needed, or null for no watchdog.",
        ),
        (
            "cluster.watchdog.minutes=1h",
            "cluster.watchdog.minutes=1h: a number above 0 is needed, or null for no watchdog.",
        ),
        ("cluster.fork_workers=maybe", "cluster.fork_workers=maybe: true or false is needed."),
        ("cluster.watchdog.factor=0.5", "cluster.watchdog.factor=0.5: a number of 1 or more is needed."),
        (
            "cluster.watchdog.on_hang=stop",
            "cluster.watchdog.on_hang=stop: does not exist; there are fail, retry, warn.",
        ),
        ("cluster.watchdog=30", "cluster.watchdog=30: a section is needed, or null for no watchdog."),
        ("cluster.partition=7", "cluster.partition=7: a text is needed."),
        ("cluster.time=4h", "cluster.time=4h: minutes, HH:MM:SS or D-HH:MM:SS is needed."),
        ("cluster.time=0", "cluster.time=0: minutes, HH:MM:SS or D-HH:MM:SS is needed."),
        ("cluster.setup=module", "cluster.setup=module: a list of texts is needed, such as [module load cuda]."),
        ("cluster.time=7", "cluster.time=7: of 7 minutes, cluster.grace_seconds=300 leave less than 3 to train in."),
        (
            "cluster.grace_seconds=90000",
            "cluster.time=24:00:00: of 1440 minutes, cluster.grace_seconds=90000 leave less than 3 to train in.",
        ),
        ("cluster.extra=[exclude]", "cluster.extra=['exclude']: 'exclude' is no option of sbatch; they begin with --."),
        (
            "cluster.gpus_per_node=2",
            "cluster.gpus_per_node=2: with trainer.device=cpu, GPUs would be booked and not used.",
        ),
    ],
)
def test_what_no_launcher_could_use(word: str, message: str) -> None:
    assert message in told(word)


def test_a_retry_that_would_never_come() -> None:
    (message,) = told("cluster.watchdog.on_hang=retry", "cluster.requeues=0")
    assert message == (
        "cluster.watchdog.on_hang=retry: a run that hangs would not be started again, as cluster.requeues is 0."
    )


def test_a_warning_that_would_come_at_the_start() -> None:
    given = [*CPU, "cluster.time=5", "cluster.grace_seconds=290"]
    (problem,) = [each for each in find_problems(compose_config(given), given) if not each.warning]
    assert problem.remedy == "Set cluster.time to 8 or more, or a shorter cluster.grace_seconds."
    assert told("cluster.time=4", "cluster.grace_seconds=60") == []


def test_a_gpu_training_without_gpus() -> None:
    words = ["experiment=quickstart_tiny", "cluster=slurm", "cluster.gpus_per_node=0"]
    messages = [problem.message for problem in find_problems(compose_config(words), words)]
    assert "cluster.gpus_per_node=0: with trainer.device=cuda no GPU would be asked for." in messages


@pytest.mark.parametrize(
    "word",
    ["cluster.partition=main", "cluster.time=30", "cluster.time=8", "cluster.time=1-12", "cluster.memory_gb=1.5", "cluster.at_once=4",
     "cluster.watchdog=null", "cluster.watchdog.minutes=null", "cluster.watchdog.on_hang=retry",
     "cluster.extra=['--exclude=node7',--exclusive]", "cluster.setup=['module load cuda']"],
)  # fmt: skip
def test_what_is_taken(word: str) -> None:
    assert told(word) == []


def test_a_run_over_several_nodes() -> None:
    assert told("cluster.nodes=2", "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=64") == []


def test_nodes_and_gpus_that_slurm_is_not_asked_for() -> None:
    words = ["experiment=quickstart_tiny", "cluster=slurm", "cluster.nodes=4", "cluster.gpus_per_node=8"]

    def messages(*more: str) -> list[str]:
        given = [*words, *more]
        found = find_problems(compose_config(given), given)
        return [problem.message for problem in found if problem.key in ("trainer.nnodes", "trainer.n_gpus_per_node")]

    assert messages() == []
    assert messages("trainer.nnodes=2") == ["trainer.nnodes=2: Slurm is asked for cluster.nodes=4."]
    assert messages("trainer.n_gpus_per_node=16") == [
        "trainer.n_gpus_per_node=16: Slurm is asked for cluster.gpus_per_node=8."
    ]
    apart = ["trainer.v1.trainer_mode=separate_async", "actor_rollout_ref.rollout.n_gpus_per_node=8"]
    assert messages(*apart, "trainer.nnodes=3", "actor_rollout_ref.rollout.nnodes=1") == []
    assert messages(*apart, "trainer.nnodes=2", "actor_rollout_ref.rollout.nnodes=1") == [
        "trainer.nnodes=2: Slurm is asked for cluster.nodes=4."
    ]


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="no such key under cluster") as caught:
        compose_config([*CPU, "cluster.partion=main"])
    assert "partition" in caught.value.remedy


def test_a_login_node_without_a_gpu_plans_for_the_nodes_gpus() -> None:
    config = compose_config(
        ["experiment=quickstart_tiny", "cluster=slurm", "cluster.gpus_per_node=8", "cluster.nodes=2"]
    )
    assert (config.trainer.device, config.actor_rollout_ref.rollout.name) == ("cuda", "vllm")
    assert (config.trainer.nnodes, config.trainer.n_gpus_per_node) == (2, 8)


GUIDE = GUIDES / "slurm.md"
TRIED = sorted({line for line in commands("slurm") if "experiment=" in line})


def write_cluster(folder: Path) -> str:
    """The guide's own cluster, in a project."""
    (folder / "conf/cluster").mkdir(parents=True)
    yaml = GUIDE.read_text().partition("```yaml\n")[2].partition("```")[0]
    (folder / "conf/cluster/lab.yaml").write_text(yaml)
    return yaml


@pytest.mark.parametrize("command", TRIED)
def test_the_guides_commands_plan(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cluster(tmp_path)
    monkeypatch.chdir(tmp_path)
    _, verb, *words = [word for word in shlex.split(command) if word not in ("--deep", "--dry-run")]
    assert main([verb, *words, *(["--dry-run"] if verb == "train" else [])]) == 0, capsys.readouterr().err
    shown = capsys.readouterr().out
    assert verb == "check" or "#SBATCH --exclude=node7\n" in shown


def test_the_guides_own_cluster_composes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    yaml = write_cluster(tmp_path)
    words = ["experiment=quickstart_tiny", "cluster=lab", "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16"]
    config = compose_config(words)
    assert (config.cluster.launcher, config.cluster.partition, config.trainer.n_gpus_per_node) == (
        "slurm", "preemptible", 8,
    )  # fmt: skip
    assert [problem.message for problem in find_problems(config, words)] == []
    (tmp_path / "conf/cluster/lab.yaml").write_text(yaml.replace("partition:", "partitoin:"))
    (problem,) = find_problems(compose_config(words), words)
    assert problem.message == "cluster.partitoin: nothing reads such a key under cluster."
    assert "partition" in problem.remedy
