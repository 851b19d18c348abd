"""What a job finds out about itself, from what a real Slurm 22.05 said of jobs that were ended in each way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.launch.slurm.own_job import is_queued_again, job_number, restart_count, term_seconds, was_cancelled

if TYPE_CHECKING:
    from tests.unit.launch.conftest import Programs


@pytest.fixture(autouse=True)
def job(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"SLURM_JOB_ID": "7", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3", "SLURM_RESTART_COUNT": "1",
                 "SLURM_JOB_PARTITION": "spare", "SLURM_JOB_QOS": "scavenger"}  # fmt: skip
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_its_number_is_its_own_and_not_the_arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert job_number() == "7_3"
    assert restart_count() == 1
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_RESTART_COUNT"):
        monkeypatch.delenv(name)
    assert (job_number(), restart_count()) == ("7", 0)
    monkeypatch.delenv("SLURM_JOB_ID")
    assert job_number() == ""


@pytest.mark.parametrize(
    ("said", "cancelled", "queued"),
    [
        ("JobState=RUNNING Reason=None Restarts=1 PreemptTime=None", False, False),
        ("JobState=RUNNING Reason=None Restarts=1 PreemptTime=2026-11-26T21:15:17", False, False),  # its grace time
        ("JobState=COMPLETING Reason=None Restarts=1 PreemptTime=None", True, False),  # scancel
        ("JobState=CANCELLED Reason=None Restarts=1 PreemptTime=None", True, False),
        ("JobState=COMPLETING Reason=None Restarts=2", False, True),  # PreemptMode=REQUEUE, scontrol requeue
        ("JobState=PENDING Reason=BeginTime Restarts=2", False, True),
        ("JobState=COMPLETING Reason=None Restarts=1 PreemptTime=2026-11-26T21:15:05", False, False),  # PreemptMode=CANCEL
        ("JobState=COMPLETING Reason=TimeLimit Restarts=1 PreemptTime=None", False, False),
        ("JobState=COMPLETING Reason=NodeDown Restarts=1 PreemptTime=None", False, False),
    ],
)  # fmt: skip
def test_what_ends_it(programs: Programs, said: str, cancelled: bool, queued: bool) -> None:
    programs.say("scontrol", f"echo 'JobId=7 ArrayJobId=7 ArrayTaskId=3 {said} RunTime=00:01:00'")
    assert (was_cancelled(), is_queued_again()) == (cancelled, queued)
    assert set(programs.calls("scontrol")) == {"show job 7_3 -o"}


def test_nothing_is_known_where_slurm_does_not_answer(programs: Programs) -> None:
    programs.fail("scontrol", "slurm_load_jobs error: Socket timed out on send/recv operation")
    assert (was_cancelled(), is_queued_again()) == (False, False)
    assert term_seconds() == 30.0


@pytest.mark.parametrize(
    ("preempts_by", "partition", "qos", "seconds"),
    [
        ("partition_prio", "GraceTime=0", "00:10:00", 25.0),
        ("partition_prio", "GraceTime=120", "00:10:00", 120.0),
        ("qos", "GraceTime=120", "00:10:00", 600.0),
        ("qos", "GraceTime=120", "", 25.0),
    ],
)
def test_the_time_after_term(programs: Programs, preempts_by: str, partition: str, qos: str, seconds: float) -> None:
    programs.say("sacctmgr", f'[ "$5" = scavenger ] && echo {qos}')
    programs.say(
        "scontrol",
        f"""case "$*" in
  "show config") echo "KillWait                = 25 sec"; echo "PreemptType             = preempt/{preempts_by}" ;;
  "show partition spare") echo "PartitionName=spare Default=NO {partition} PreemptMode=REQUEUE" ;;
esac""",
    )
    assert term_seconds() == seconds
