"""The state of a run from what it wrote and what Slurm says: each pair of the two, by the true cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.launch.slurm.ends import joined, slurm_log
from harness.launch.slurm.view import JobView
from harness.launch.stops import CANCEL_MARK
from harness.records.run_folder import RunFolder
from harness.records.state import RunError, State, Status, save_status

DIED = RunError("ProcessDied", "process 7 is gone")
OWN = RunError("ValueError", "made to fail")
LOST = RunError("NodeLost", "node n2 was lost")
AGAIN = "preempted, and Slurm has not queued it again"
JOB = "7_0"


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    (tmp_path / "logs").mkdir()
    (tmp_path / "seed-1").mkdir()
    return RunFolder(tmp_path / "seed-1")


def told(run: RunFolder, status: Status, view: JobView | None, job: str = JOB) -> Status:
    return joined(run, status, job, {job: view} if view else {})


@pytest.mark.parametrize(
    ("status", "view", "state", "why"),
    [
        (Status("done"), JobView("FAILED"), "done", ""),
        (Status("failed", error=OWN), JobView("COMPLETED"), "failed", "made to fail"),
        (Status("failed", error=OWN), None, "failed", "made to fail"),
        (Status("failed", error=DIED), JobView("OUT_OF_MEMORY", "signal 9"), "failed", "more memory than it asked for"),
        (Status("failed", error=DIED), JobView("TIMEOUT"), "failed", "reached its time limit"),
        (Status("failed", error=DIED), JobView("NODE_FAIL"), "failed", "its node was lost"),
        (Status("failed", error=DIED), JobView("FAILED", "exit code 3"), "failed", "its job failed (exit code 3)"),
        (Status("failed", error=DIED), JobView("CANCELLED"), "cancelled", ""),
        (Status("failed", error=DIED), JobView("PENDING", "BeginTime"), "pending", ""),
        (Status("failed", error=DIED), JobView("RUNNING"), "running", ""),
        (Status("running"), JobView("RUNNING"), "running", ""),
        (Status("running"), JobView("COMPLETED"), "failed", "recorded no end"),
        (Status("preempted"), JobView("PENDING"), "pending", ""),
        (Status("preempted"), JobView("COMPLETING"), "preempted", ""),
        (Status("preempted"), JobView("PREEMPTED"), "failed", AGAIN),
        (Status("running"), JobView("PREEMPTED"), "failed", AGAIN),
        (Status("preempted"), None, "failed", AGAIN),
        (Status("preempted", error=LOST), JobView("PENDING"), "pending", "node n2 was lost"),
        (Status("pending"), JobView("FAILED", "exit code 1"), "failed", "exit code 1"),
        (Status("pending"), None, "failed", "Slurm has no such job any more"),
        (Status("running"), None, "running", ""),
        (Status("failed", error=DIED), None, "failed", "process 7 is gone"),
    ],
)
def test_the_true_cause(run: RunFolder, status: Status, view: JobView | None, state: str, why: str) -> None:
    found = told(run, status, view)
    assert found.state == state
    assert why in (found.error.message if found.error else "")


def test_a_run_without_a_job_waits(run: RunFolder) -> None:
    assert joined(run, Status("pending"), "", {}).state == "pending"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (Status("pending"), "pending"),
        (Status("preempted"), "preempted"),
        (Status("running"), "running"),
        (Status("failed", error=DIED), "running"),  # its heartbeat is old: that alone is no end
        (Status("failed", error=OWN), "failed"),
    ],
)
def test_where_slurm_does_not_answer_the_last_word_stands(run: RunFolder, status: Status, state: State) -> None:
    assert joined(run, status, JOB, None).state == state


def test_an_end_that_was_recorded_before_slurm_was_asked(run: RunFolder) -> None:
    save_status(run.status, Status("done"))
    assert told(run, Status("running"), JobView("COMPLETED")).state == "done"


def test_a_step_that_was_killed_for_memory_is_told_by_slurms_log(run: RunFolder) -> None:
    log = run.path.parent / "logs" / "slurm-7_0.log"
    log.write_text("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have\n")
    view = JobView("FAILED", "exit code 1")
    found = told(run, Status("failed", error=DIED), view)
    assert found.error
    assert found.error.message == "it took more memory than it asked for (cluster.memory_gb) (exit code 1)"
    other = told(run, Status("failed", error=DIED), view, "7_1")
    assert other.error
    assert "its job failed" in other.error.message


def test_a_job_that_ended_before_the_run_began_is_told_by_slurms_log(run: RunFolder) -> None:
    log = run.path.parent / "logs" / "slurm-7_0.log"
    log.write_text(
        "/var/spool/slurmd/job7/slurm_script: line 20: modul: command not found\n"
        "slurmstepd-n1: error: execve(): /gone/.venv/bin/python: No such file or directory\n"
        "srun: error: n1: task 0: Exited with exit code 2\n"
        "srun: launch/slurm: _step_signal: Terminating StepId=7.0\n"
    )
    found = told(run, Status("pending"), JobView("FAILED", "exit code 2"))
    assert found.error
    assert found.error.message == (
        "its job failed (exit code 2): slurmstepd-n1: error: execve(): /gone/.venv/bin/python: "
        "No such file or directory (see logs/slurm-7_0.log)"
    )
    assert slurm_log(run, JOB) == log
    assert slurm_log(run, "7_1") is None
    assert slurm_log(run, "") is None


def test_a_cancelled_run_is_cancelled_once_its_job_has_gone(run: RunFolder) -> None:
    (run.path / CANCEL_MARK).touch()
    assert told(run, Status("running"), JobView("RUNNING")).state == "running"
    assert told(run, Status("failed", error=DIED), JobView("CANCELLED")).state == "cancelled"
    assert told(run, Status("running"), None).state == "cancelled"
