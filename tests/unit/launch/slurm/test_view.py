"""What Slurm says of jobs, and that its silence says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.launch.slurm.view import JobView, _warn, view_jobs

if TYPE_CHECKING:
    from tests.unit.launch.conftest import Programs

GONE = "slurm_load_jobs error: Invalid job id specified"


@pytest.fixture(autouse=True)
def nothing_said_yet() -> None:
    _warn.cache_clear()


def test_a_job_that_nobody_knows_is_gone(programs: Programs) -> None:
    programs.fail("squeue", GONE)
    programs.fail("scontrol", GONE)
    assert view_jobs(["7_0"]) == {}
    programs.say("sacct", "echo '7_0|OUT_OF_MEMORY|0:125'")
    assert view_jobs(["7_0"]) == {"7_0": JobView("OUT_OF_MEMORY", "signal 125")}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("squeue", "slurm_load_jobs error: Socket timed out on send/recv operation"),
        ("squeue", "slurm_load_jobs error: Unable to contact slurm controller (connect failure)"),
        ("scontrol", "slurm_load_jobs error: Zero Bytes were transmitted or received"),
        ("sacct", "sacct: error: Problem talking to the database: Connection refused"),
    ],
)
def test_any_other_error_leaves_the_state_unknown(
    programs: Programs, name: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.fail("squeue", GONE)
    programs.fail("scontrol", GONE)
    programs.fail(name, message)
    assert view_jobs(["7_0"]) is None
    assert view_jobs(["7_0"]) is None
    told = capsys.readouterr().err
    assert told.count("Slurm does not answer (") == 1
    assert "the states of its jobs are the last that are known" in told


def test_accounting_is_asked_for_what_the_others_have_forgotten(programs: Programs) -> None:
    programs.say("squeue", "echo '7_0|RUNNING|None|1:00'; echo '7_1|PENDING|Priority|INVALID'")
    programs.fail("scontrol", GONE)
    programs.fail("sacct", "sacct: error: Problem talking to the database: Connection refused")
    assert view_jobs(["7_0", "7_1"]) == {"7_0": JobView("RUNNING", "", "1:00"), "7_1": JobView("PENDING", "Priority")}
    programs.say("sacct", "echo '6_0|CANCELLED by 0|0:0'; echo '6_1|RUNNING|0:0'")
    assert view_jobs(["6_0", "7_0"]) == {"6_0": JobView("CANCELLED"), "7_0": JobView("RUNNING", "", "1:00")}
    assert programs.calls("sacct")[-1].endswith("-j 6")
