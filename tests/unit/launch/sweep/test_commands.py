"""Planning a sweep and asking about one, without running anything."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from harness.config.compose import compose_config
from harness.errors import ConfigurationError
from harness.launch.record import open_run
from harness.launch.slurm.submit import _parts, submit
from harness.launch.sweep.driver import driving
from harness.launch.sweep.folder import PlannedRun, SweepFolder, find_runs, folder_name
from harness.launch.sweep.ledger import read_ledger
from harness.launch.sweep.prepare import make_sweep
from harness.launch.sweep.table import before
from harness.records.status import StatusWriter, read_status

if TYPE_CHECKING:
    from tests.unit.launch.conftest import Programs

TINY = "experiment=quickstart_tiny"
SLURM = (TINY, "cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_plan_has_everything_that_its_runs_need(here: Path) -> None:
    sweep = make_sweep([TINY, "algorithm=grpo,rloo", "seed=1,2"])
    plan = SweepFolder.open(sweep.path).plan()
    assert [run.label for run in plan.runs] == [
        "algorithm=grpo seed=1", "algorithm=grpo seed=2", "algorithm=rloo seed=1", "algorithm=rloo seed=2",
    ]  # fmt: skip
    assert len({(run.fingerprint, run.seed) for run in plan.runs}) == 4
    for run in plan.runs:
        folder = sweep.run(run)
        assert read_status(folder).state == "pending"
        assert f"run_id: {run.run_id}" in folder.config.read_text()
        assert json.loads(folder.provenance.read_text())["fingerprint"] == run.fingerprint
    assert sweep.code(plan).is_dir()


def test_every_problem_is_told_before_anything_is_started(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-m", TINY, "seed=1,2", "data.train_batch_size=0", "actor_rollout_ref.rollout.n=4,0"]) == 2
    told = capsys.readouterr().err
    assert "in a sweep of 4 runs; nothing was started:" in told
    assert "every run:\n  data.train_batch_size=0: a number of 1 or more is needed." in told
    assert "seed=1 n=0, seed=2 n=0:\n  actor_rollout_ref.rollout.n=0" in told
    assert not (here / "outputs").exists()


def test_the_same_experiment_twice_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "-m", TINY, "trainer.project_name=a,b"]) == 2
    assert "project_name=b is the same experiment as project_name=a, with the same seed." in capsys.readouterr().err


def test_what_has_finished_is_not_run_again() -> None:
    words = [TINY, "seed=1"]
    earlier, _ = open_run(compose_config(words), words)
    StatusWriter(earlier).done()
    plan = make_sweep([TINY, "seed=1,2"]).plan()
    assert [run.label for run in plan.runs] == ["seed=2"]
    assert plan.finished == [{"label": "seed=1", "run": earlier.shown(), "code": "the same"}]
    assert [run.label for run in make_sweep([TINY, "seed=1,2"], again=True).plan().runs] == ["seed=1", "seed=2"]


def test_what_has_finished_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [TINY, "seed=1"]
    earlier, _ = open_run(compose_config(words), words)
    StatusWriter(earlier).done()
    earlier.code_diff.write_text("another change\n")
    assert main(["train", "-m", TINY, "seed=1,2", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# 1 run in outputs/quickstart_tiny/<sweep_id>/\n#   seed=2\n# finished before")
    assert f"#   seed=1: {earlier.shown()}\n" in shown
    assert main(["train", "-m", TINY, "seed=1,2", "--dry-run", "--again"]) == 0
    assert "# finished before" not in capsys.readouterr().out
    sweep = make_sweep([TINY, "seed=1,2"])
    assert before(sweep.plan()) == "; 1 finished before, 1 of them with other code (--again trains anew)"


def test_what_a_killed_planning_leaves_is_no_sweep(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "outputs/a/sweep-1/logs").mkdir(parents=True)
    assert main(["train", "--resume", "outputs/a/sweep-1"]) == 2
    assert "outputs/a/sweep-1 was not planned to its end, and nothing of it was started." in capsys.readouterr().err


def test_a_local_sweep_has_one_driver(here: Path) -> None:
    sweep = make_sweep([TINY, "seed=1"])
    alone = f"nobody runs the sweep; go on with: harness train --resume {sweep.shown()}"
    assert [row.why for row in read_ledger(sweep)] == [alone]
    with driving(sweep):
        assert [row.why for row in read_ledger(sweep)] == ["waits for its turn"]
        with pytest.raises(ConfigurationError, match=f"is being run by process {os.getpid()} on "), driving(sweep):
            pass
    with driving(sweep):
        pass


def test_a_dry_run_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [TINY, "cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0", "seed=1,2"]
    assert main(["train", "-m", *words, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# 2 runs in outputs/quickstart_tiny/<sweep_id>/\n#   seed=1\n#   seed=2\n")
    assert "#SBATCH --array=0-1" in shown
    assert "# the first one's configuration (seed=1)\n" in shown
    assert "  adv_estimator: grpo\n" in shown
    assert main(["train", TINY, *words[1:5], "--dry-run"]) == 0  # without -m: one run, and never on this node
    assert "#SBATCH --array=0\n" in capsys.readouterr().out
    assert not (here / "outputs").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep"], "an action and a sweep's folder are needed"),
        (["sweep", "show", "x"], "an action and a sweep's folder are needed"),
        (["sweep", "status", "nowhere"], "nowhere is not a sweep's folder: it has no sweep.yaml."),
        (["sweep", "logs", "SWEEP"], "name one run"),
        (["sweep", "logs", "SWEEP", "seed-1"], "has written no log yet"),
        (["sweep", "cancel", "SWEEP", "seed-9"], "seed-9: the sweep has no such run."),
        (["train", "-m", TINY, "seed=interval(1,2)"], "an interval has no points"),
        (["train", "-m", TINY, "cluster.time=60,90"], "cluster.time is the same for all runs of a sweep"),
        (["train", "--resume", "SWEEP", "seed=4"], "starts what is left of the sweep as it was planned; seed=4 would"),
        (["sweep", "retry", "SWEEP", "seed-1", "seed=4"], "seed would differ from what"),
        (["sweep", "retry", "SWEEP", "seed-1", "seed=4"], "or add --allow-changes, which its record will tell."),
        (["sweep", "retry", "SWEEP", "seed-1", "data.nothing=4"], "data.nothing is not a key of"),
        (["sweep", "retry", "SWEEP", "seed-1", "algorithm=ppo"], "algorithm is a section of"),
        (["sweep", "retry", "SWEEP", "seed-1", "cluster.at_once=many"], "cluster.at_once"),
    ],
)
def test_what_is_asked_wrongly(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make_sweep([TINY, "seed=1,2"])
    StatusWriter(sweep.run(sweep.plan().runs[0])).cancelled()
    assert main([str(sweep.path) if word == "SWEEP" else word for word in words]) == 2
    assert message in capsys.readouterr().err


def test_status_and_cancel_of_what_has_not_begun(capsys: pytest.CaptureFixture[str]) -> None:
    sweep = make_sweep([TINY, "seed=1,2"])
    assert main(["sweep", "status", str(sweep.path)]) == 0
    assert "2 runs: 2 pending" in capsys.readouterr().out
    assert main(["sweep", "cancel", str(sweep.path), "seed-1"]) == 0
    assert capsys.readouterr().out == "cancelled 1 of 1 runs\n"
    assert main(["sweep", "status", str(sweep.path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [run["state"] for run in report["runs"]] == ["cancelled", "pending"]


def submitted_sweep(programs: Programs, seen: str) -> SweepFolder:
    """Two runs as job 7, of whose tasks squeue says this."""
    sweep = make_sweep([*SLURM, "seed=1,2"])
    programs.say("sbatch", "echo 7")
    submit(sweep, sweep.plan(), [0, 1], "mine")
    programs.say("squeue", f"printf '{seen}'")
    programs.fail("scontrol", "slurm_load_jobs error: Invalid job id specified")
    return sweep


@pytest.mark.parametrize("which", ["--all", "seed-1"])
def test_a_preempted_run_that_comes_back_by_itself_is_not_submitted_beside_its_job(
    programs: Programs, which: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = submitted_sweep(programs, "7_0|COMPLETING|None|1:00\\n")
    StatusWriter(sweep.run(sweep.plan().runs[0])).preempted()
    assert main(["sweep", "retry", str(sweep.path), which]) == 0
    assert (
        "seed-1 was preempted, and its job 7_0 goes back into the queue by itself: left alone"
        in capsys.readouterr().err
    )
    scripts = [path.read_text() for path in sweep.logs.glob("*.sbatch")]
    assert sorted(line for text in scripts for line in text.splitlines() if "--array" in line) == (
        ["#SBATCH --array=0-1", "#SBATCH --array=1"] if which == "--all" else ["#SBATCH --array=0-1"]
    )  # seed 2 is gone
    assert read_status(sweep.run(sweep.plan().runs[0])).state == "preempted"


def test_a_preempted_run_that_slurm_has_given_up_is_retried(programs: Programs) -> None:
    sweep = submitted_sweep(programs, "7_1|PENDING|Priority|1:00\\n")
    StatusWriter(sweep.run(sweep.plan().runs[0])).preempted()
    assert main(["sweep", "status", str(sweep.path)]) == 1
    programs.say("sbatch", "echo 8")
    assert main(["sweep", "retry", str(sweep.path)]) == 0
    assert sweep.journal()[-1] == {"event": "submitted", "job": "8", "offset": 0, "tasks": [0]} | {
        "token": sweep.journal()[-1]["token"]
    }


def test_slurms_log_where_a_run_has_written_none(programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    sweep = submitted_sweep(programs, "7_1|PENDING|Priority|1:00\\n")
    log = sweep.logs / "slurm-7_0.log"
    log.write_text("line 20: modul: command not found\n")
    programs.say("sacct", "echo '7_0|FAILED|127:0'")
    assert main(["sweep", "logs", str(sweep.path), "seed-1", "-f"]) == 0
    told = capsys.readouterr()
    assert told.out == log.read_text()
    assert f"seed-1 has written no log yet; this is Slurm's of job 7_0, {log}" in told.err
    assert main(["sweep", "status", str(sweep.path), "--json"]) == 1
    why = json.loads(capsys.readouterr().out)["runs"][0]["why"]
    assert why == "its job failed (exit code 127): line 20: modul: command not found (see logs/slurm-7_0.log)"
    assert main(["sweep", "logs", str(sweep.path), "seed-2"]) == 2


def test_names_of_folders() -> None:
    assert folder_name("algorithm=dapo lr=3e-06 seed=2", 4) == "algorithm-dapo_lr-3e-06_seed-2"
    assert folder_name("reward_fn=[a,b]", 4) == "reward_fn-a-b"
    assert folder_name("x=" + "y" * 99, 4) == folder_name("=", 4) == "run-4"
    runs = [PlannedRun(0, "seed-1", "seed=1", [], 1, "f"), PlannedRun(1, "seed-2", "seed=2", [], 2, "f")]
    plan = make_sweep([TINY, "seed=1"]).plan()
    found = find_runs(type(plan)(**{**vars(plan), "runs": runs}), ["1", "seed-1", "outputs/x/seed-2"])
    assert [run.index for run in found] == [1, 0, 1]


def test_arrays_are_split_at_the_clusters_limit() -> None:
    assert _parts([7, 0, 1, 2, 5], 3) == [(0, [0, 1, 2]), (3, [2]), (6, [1])]  # 7 is task 1 of the third block
    assert _parts([4], 1001) == [(0, [4])]
