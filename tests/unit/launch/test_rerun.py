"""The same experiment again from its record: its configuration as a new run, and its code as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.cli import main
from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.errors import ConfigurationError
from harness.launch.record import open_run
from harness.launch.recorded_code import recorded_code
from harness.launch.rerun import rerun, rerun_config
from harness.launch.sweep.prepare import make_sweep

WORDS = ["experiment=quickstart_tiny"]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a change that is not committed, and data that git ignores."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "mine.py").write_text("VERSION = 1\n")
    (folder / ".gitignore").write_text("data/\noutputs/\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "mine.py").write_text("VERSION = 2\n")
    (folder / "new.py").write_text("NEW = True\n")
    (folder / "data/train.txt").write_text("data\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return folder


def test_the_code_as_it_was(project: Path) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    assert recorded_code(run) is None, "nothing has changed since"
    (project / "mine.py").write_text("VERSION = 3\n")
    git(project, "commit", "-qam", "second")
    code = recorded_code(run)
    assert code is not None
    assert (code / "mine.py").read_text() == "VERSION = 2\n"
    assert (code / "new.py").read_text() == "NEW = True\n"
    assert (code / "data/train.txt").read_text() == "data\n"
    assert recorded_code(run) == code


def test_code_that_cannot_be_had(project: Path) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    text = run.provenance.read_text()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    run.provenance.write_text(text.replace(commit, "0" * 40))
    with pytest.raises(ConfigurationError, match="was made with commit 000000000000, which cannot be had") as caught:
        recorded_code(run)
    assert "--here" in caught.value.remedy


def test_a_sweeps_run_has_the_sweeps_frozen_source(project: Path) -> None:
    sweep = make_sweep([*WORDS, "seed=1,2"])
    run = sweep.run(sweep.plan().runs[1])
    assert recorded_code(run) == sweep.code(sweep.plan())
    assert rerun_config(run, []).output_root == str(project / "outputs")


def test_the_same_experiment_in_a_folder_of_its_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, recorded = open_run(compose_config([*WORDS, "seed=4"]), WORDS)
    config = rerun_config(run, [])
    assert (config.run_id, config.run_dir, config.seed) == (None, None, 4)
    again, resolved = open_run(config, WORDS)
    assert again.path != run.path
    assert again.path.parent == project / "outputs/quickstart_tiny"
    assert fingerprint(resolved) == fingerprint(recorded)
    assert str(run.path) not in again.config.read_text()
    assert run.run_id not in again.config.read_text()
    assert main(["rerun", str(run.path), "seed=9", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"# would run {run.shown()} again with the code in {project}\n"), repr(shown[:300])
    assert "\nseed: 9\n" in shown


def test_a_seed_reaches_all_that_follows_it_and_nothing_else(project: Path) -> None:
    run, recorded = open_run(compose_config([*WORDS, "seed=4", "data.seed=7"]), [*WORDS, "seed=4", "data.seed=7"])
    config = resolve(rerun_config(run, ["seed=9"]))
    assert config.seed == 9
    assert config.data.seed == 7, "what was given a value of its own does not follow"
    assert config.prepare.model.seed == 9
    assert (
        config.actor_rollout_ref.rollout.seed
        == resolve(compose_config([*WORDS, "seed=9"])).actor_rollout_ref.rollout.seed
    )
    assert config.actor_rollout_ref.model.path != recorded.actor_rollout_ref.model.path, "each seed has its own model"
    assert fingerprint(config) == fingerprint(recorded)


def test_groups_can_be_chosen_anew(project: Path) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    config = resolve(rerun_config(run, ["algorithm=dr_grpo", "name=other"]))
    asked = resolve(compose_config([*WORDS, "algorithm=dr_grpo", "name=other"]))
    assert fingerprint(config) == fingerprint(asked)
    assert config.name == "other"


def test_what_a_file_gave_stays(project: Path) -> None:
    config = compose_config(WORDS)
    config.data.train_batch_size, config.data.seed = 8, 3  # as read from a file that is gone
    run, _ = open_run(config, WORDS)
    again = resolve(rerun_config(run, ["seed=9"]))
    assert (again.data.train_batch_size, again.data.seed, again.prepare.model.seed) == (8, 3, 9)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "harness rerun: name a run."),
        (["nowhere"], "nowhere: no such run folder"),
        (["RUN", "no.such=1"], "no.such=1: no.such is not a key of"),
    ],
)
def test_what_is_asked_wrongly(
    words: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    assert main(["rerun", *(str(run.path) if word == "RUN" else word for word in words)]) == 2
    assert message in capsys.readouterr().err


def test_a_run_of_slurms_whose_words_no_longer_give_it(project: Path) -> None:
    words = [*WORDS, "cluster=slurm", "cluster.gpus_per_node=1"]
    config = compose_config(words)
    config.data.train_batch_size = 8
    run, _ = open_run(config, words)
    with pytest.raises(
        ConfigurationError, match=r"no longer give what it was trained with: data.train_batch_size"
    ) as caught:
        rerun(str(run.path), [], here=True)
    assert "cluster=local" in caught.value.remedy
    assert rerun_config(run, ["cluster=local"]).cluster.launcher == "local"
