"""What a sweep's table says of a run: why it waits, beside what it stopped for."""

from __future__ import annotations

from pathlib import Path

from harness.launch.slurm.view import JobView, _code
from harness.launch.sweep.folder import PlannedRun
from harness.launch.sweep.ledger import _best, _estimate, _row, _waits
from harness.records.run_folder import RunFolder
from harness.records.state import RunError, Status

OWN = RunError("ValueError", "made to fail")
LOST = RunError("NodeLost", "node n2 was lost")


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


def test_a_run_that_slurm_does_not_tell_of(tmp_path: Path) -> None:
    run = PlannedRun(0, "run", "run", [], 1, "")
    row = _row(RunFolder(tmp_path), run, Status("running", stage="generating"), "4_0", None, "slurm")
    assert (row.status.state, row.why) == ("running", "Slurm does not answer")
    row = _row(RunFolder(tmp_path), run, Status("pending"), "4_0", None, "slurm")
    assert (row.status.state, row.why) == ("pending", "Slurm does not answer")
