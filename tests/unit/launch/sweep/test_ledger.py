"""The state of a run from what it wrote and what Slurm says: each pair of the two, by the true cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.launch.slurm.view import JobView, _code
from harness.launch.stops import CANCEL_MARK
from harness.launch.sweep.folder import PlannedRun
from harness.launch.sweep.ledger import _best, _estimate, _joined, _row, _waits
from harness.records.run_folder import RunFolder
from harness.records.state import RunError, Status

DIED = RunError("ProcessDied", "process 7 is gone")
OWN = RunError("ValueError", "made to fail")
LOST = RunError("NodeLost", "node n2 was lost")


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
        (Status("preempted", error=LOST), JobView("PENDING"), "pending", "node n2 was lost"),
        (Status("pending"), JobView("FAILED", "exit code 1"), "failed", "exit code 1"),
        (Status("pending"), None, "pending", ""),
        (Status("failed", error=DIED), None, "failed", "process 7 is gone"),
    ],
)
def test_the_true_cause(tmp_path: Path, status: Status, view: JobView | None, state: str, why: str) -> None:
    found = _joined(RunFolder(tmp_path), status, view)
    assert found.state == state
    assert why in (found.error.message if found.error else "")


def test_a_step_that_was_killed_for_memory_is_told_by_slurms_log(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "seed-1")
    log = tmp_path / "logs" / "slurm-7_0.log"
    log.parent.mkdir()
    log.write_text("slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0. Some of your processes may have\n")
    view = JobView("FAILED", "exit code 1")
    found = _joined(run, Status("failed", error=DIED), view, job="7_0")
    assert found.error.message == "it took more memory than it asked for (cluster.memory_gb) (exit code 1)"
    assert "its job failed" in _joined(run, Status("failed", error=DIED), view, job="7_1").error.message


def test_a_cancelled_run_is_cancelled_once_its_job_has_gone(tmp_path: Path) -> None:
    (tmp_path / CANCEL_MARK).touch()
    run = RunFolder(tmp_path)
    assert _joined(run, Status("running"), JobView("RUNNING")).state == "running"
    assert _joined(run, Status("failed", error=DIED), JobView("CANCELLED")).state == "cancelled"
    assert _joined(run, Status("running"), None).state == "cancelled"


@pytest.mark.parametrize("state", ["pending", "preempted"])
def test_a_job_that_slurm_has_forgotten_is_not_waited_for(tmp_path: Path, state: str) -> None:
    found = _joined(RunFolder(tmp_path), Status(state), None, forgotten=True)  # type: ignore[arg-type]
    assert found.state == "failed"
    assert found.error is not None
    assert "Slurm has no such job any more" in found.error.message
    assert _joined(RunFolder(tmp_path), Status("running"), None, forgotten=True).state == "running"


def test_why_a_run_waits() -> None:
    assert _waits(JobView("PENDING", "Resources"), "4_1") == "pending: Resources"
    assert _waits(None, "") == "not submitted"
    assert _waits(None, "4_1") == "Slurm does not answer"
    assert (_code("3:0"), _code("0:9"), _code("0:0")) == ("exit code 3", "signal 9", "")


def test_a_run_that_waits_after_its_node_was_lost_tells_both(tmp_path: Path) -> None:
    run = PlannedRun(0, "run", "run", [], 1, "")
    view = JobView("PENDING", "BeginTime")
    row = _row(RunFolder(tmp_path), run, Status("preempted", error=LOST), "4_0", {"4_0": view}, "slurm")
    assert (row.status.state, row.why) == ("pending", "node n2 was lost; pending: BeginTime")
    row = _row(RunFolder(tmp_path), run, Status("pending", error=OWN), "4_0", {"4_0": view}, "slurm")
    assert row.why == "pending: BeginTime"


def test_time_left_is_judged_by_the_steps_since_the_resume() -> None:
    times = {"started": "2026-01-01T00:00:00+00:00", "heartbeat": "2026-01-02T00:01:00+00:00"}
    fresh = Status(
        "running", step=10, first_step=1, total_steps=20, **{**times, "started": "2026-01-02T00:00:00+00:00"}
    )
    assert _estimate(fresh) == "~0:01:00"
    resumed = Status("running", step=92, first_step=91, total_steps=100, resumed="2026-01-02T00:00:00+00:00", **times)
    assert _estimate(resumed) == "~0:04:00"
    assert not _estimate(Status("running", step=90, total_steps=100, **times))  # no step since


def test_the_best_is_the_statuss_and_that_of_a_record_without_it_is_found(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    run.metrics.write_text('{"step": 1, "metrics": {"val-core/task/acc/mean@1": 0.25}}\n')
    assert _best(run, Status("running", attempt=1)) == 0.25
    assert _best(run, Status("running", attempt=1, best=0.5)) == 0.5
    assert _best(run, Status()) is None
