"""A run that stopped short: started again, or told why it is not. Slurm's commands are scripts here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.launch.again import AGAIN, RESTARTS, refuse_start, start_again
from harness.launch.sweep.drive import FAILED, drive
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder
from harness.records.run_folder import RunFolder
from harness.records.status import RunError, StatusWriter, read_status

if TYPE_CHECKING:
    from tests.unit.launch.conftest import Programs

WHY = "The run was stopped: the scheduler sent SIGTERM, as its node is wanted."
RUNNING = "JobState=RUNNING Reason=None Restarts=0 PreemptTime=None"


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepFolder:
    for name in ("SLURM_RESTART_COUNT", RESTARTS):
        monkeypatch.delenv(name, raising=False)
    variables = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return SweepFolder(tmp_path)


@pytest.fixture
def run(sweep: SweepFolder) -> RunFolder:
    run = RunFolder(sweep.path / "seed-1")
    run.path.mkdir()
    writer = StatusWriter(run)
    writer.running()
    writer.preempted()
    return run


def scontrol(programs: Programs, shown: str, requeue: str = "exit 0") -> None:
    programs.say("scontrol", f'[ "$1" = requeue ] && {{ {requeue}; }}\necho "JobId=7 {shown}"')


def requeues(programs: Programs) -> list[str]:
    return [call for call in programs.calls("scontrol") if call.startswith("requeue")]


def test_it_goes_back_into_the_queue(sweep: SweepFolder, run: RunFolder, programs: Programs) -> None:
    scontrol(programs, RUNNING)
    assert start_again(sweep, run, 5, slurm=True, why=WHY) == AGAIN
    assert read_status(run).state == "pending"
    assert requeues(programs) == ["requeue 7_3"]  # not the whole array, whose number the last task has
    assert sweep.journal() == [{"event": "requeue", "run": "seed-1", "job": "7_3", "restarts": 0, "why": WHY}]


def test_a_job_that_a_person_cancelled_stays_away(sweep: SweepFolder, run: RunFolder, programs: Programs) -> None:
    scontrol(programs, "JobState=COMPLETING Reason=None Restarts=0 PreemptTime=None")
    assert start_again(sweep, run, 5, slurm=True, why=WHY) == 1
    assert read_status(run).state == "cancelled"
    assert requeues(programs) == []


def test_what_slurm_has_queued_already_is_left_to_it(sweep: SweepFolder, run: RunFolder, programs: Programs) -> None:
    scontrol(programs, "JobState=COMPLETING Reason=None Restarts=1")
    assert start_again(sweep, run, 5, slurm=True, why=WHY) == AGAIN
    assert read_status(run).state == "pending"
    assert requeues(programs) == []


def test_a_refused_requeue_is_recorded_with_slurms_words(
    sweep: SweepFolder, run: RunFolder, programs: Programs
) -> None:
    scontrol(programs, RUNNING, "echo 'Requested operation is presently disabled for job 7_3' >&2; exit 1")
    assert start_again(sweep, run, 5, slurm=True, why=WHY) == 1
    status = read_status(run)
    assert status.state == "failed"
    assert status.error
    assert status.error.type == "RequeueRefused"
    assert status.error.message == (
        f"{WHY} Slurm refused to queue it again: Requested operation is presently disabled for job 7_3"
    )


def test_it_is_not_started_for_ever(
    sweep: SweepFolder, run: RunFolder, programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "5")
    scontrol(programs, RUNNING.replace("Restarts=0", "Restarts=5"))
    assert start_again(sweep, run, 5, slurm=True, why=WHY) == 1
    assert requeues(programs) == []
    error = read_status(run).error
    assert error
    assert error.message == f"{WHY} It has been stopped 6 times and requeued 5 times."


@pytest.mark.parametrize(("restarts", "refused"), [("", False), ("5", False), ("6", True)])
def test_slurms_own_requeues_count(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, restarts: str, refused: bool
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    assert bool(refuse_start(run, 5)) == refused
    status = read_status(run)
    assert status.state == ("failed" if refused else "preempted")
    if refused:
        assert status.error
        assert status.error.type == "RequeueLimit"
        assert status.error.message == "Slurm has started it again 6 times, more often than cluster.requeues=5."


def test_a_start_that_is_refused_keeps_the_reason_of_the_last(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = StatusWriter(run)
    writer.queued()
    writer.failed(RunError("RequeueLimit", "It has been stopped 6 times and requeued 5 times."))
    monkeypatch.setenv("SLURM_RESTART_COUNT", "6")
    assert refuse_start(run, 5)
    error = read_status(run).error
    assert error
    assert error.message == "It has been stopped 6 times and requeued 5 times."


def test_a_run_that_slurm_starts_too_often_does_nothing(
    sweep: SweepFolder, run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "3")
    planned = PlannedRun(0, "seed-1", "seed=1", [], 1, "")
    plan = Plan([], "slurm", "", "code", [planned], cluster={"requeues": 2, "grace_seconds": 60})
    assert drive(sweep, plan, planned) == FAILED
    assert json.loads(run.status.read_text())["error"]["type"] == "RequeueLimit"
