"""What Slurm has accepted of a sweep whose submission was cut off: nothing is submitted twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import HarnessError
from harness.launch.slurm import accepted
from harness.launch.slurm.accepted import submitted, submitting, surely_submitted
from harness.launch.slurm.commands import SlurmError
from harness.launch.slurm.submit import submit
from harness.launch.sweep.folder import Plan, SweepFolder
from harness.launch.sweep.prepare import make_sweep
from harness.launch.sweep.start import resume_sweep

if TYPE_CHECKING:
    from tests.unit.launch.conftest import Programs

CPU = ("experiment=quickstart_tiny", "cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0")
TIMED_OUT = "slurm_load_jobs error: Socket timed out on send/recv operation"
HOLD = """
import sys, time
from harness.launch.slurm.accepted import submitting
from harness.launch.sweep.folder import SweepFolder
with submitting(SweepFolder(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFolder:
    folder = SweepFolder(tmp_path / "sweep")
    folder.logs.mkdir(parents=True)
    return folder


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepFolder:
    monkeypatch.chdir(tmp_path)
    return make_sweep([*CPU, "seed=1,2"])


def cut_off(sweep: SweepFolder, age: float = 3600.0) -> None:
    """The journal of a driver that was killed while sbatch ran."""
    sweep.note(event="submitting", time=time.time() - age, token="mine-1a2b", offset=0, tasks=[0, 1])


def test_a_resume_submits_nothing_while_squeue_does_not_answer(planned: SweepFolder, programs: Programs) -> None:
    cut_off(planned)
    programs.fail("squeue", TIMED_OUT)
    with pytest.raises(SlurmError, match="does not tell whether it has accepted the last submission") as caught:
        resume_sweep(str(planned.path))
    assert "Nothing was submitted now; try again" in caught.value.remedy
    assert programs.calls("sbatch") == []
    programs.say("squeue", 'case "$*" in *%F*) echo 7 ;; esac')
    resume_sweep(str(planned.path))
    assert programs.calls("sbatch") == []
    assert submitted(planned) == {0: "7_0", 1: "7_1"}


def test_what_never_arrived_is_submitted(planned: SweepFolder, programs: Programs) -> None:
    cut_off(planned)
    programs.say("sbatch", "echo 8")
    resume_sweep(str(planned.path))
    assert submitted(planned) == {0: "8_0", 1: "8_1"}


def test_a_look_at_the_sweep_is_not_held_up(sweep: SweepFolder, programs: Programs) -> None:
    cut_off(sweep, age=0.0)
    programs.fail("squeue", TIMED_OUT)
    assert submitted(sweep) == {}


def test_accounting_is_asked_from_the_submission_on(sweep: SweepFolder, programs: Programs) -> None:
    cut_off(sweep, age=3 * 24 * 3600.0)
    programs.say("sacct", "echo 9_0")
    assert surely_submitted(sweep) == {0: "9_0", 1: "9_1"}
    (asked,) = programs.calls("sacct")
    since = time.mktime(time.strptime(asked.partition(" -S ")[2], "%Y-%m-%dT%H:%M:%S"))
    assert 3 * 24 * 3600 < time.time() - since < 3 * 24 * 3600 + 2 * accepted.SKEW_SECONDS


def test_accounting_that_fails_leaves_it_unknown(sweep: SweepFolder, programs: Programs) -> None:
    cut_off(sweep)
    programs.fail("sacct", "sacct: error: Problem talking to the database: Connection refused")
    with pytest.raises(SlurmError, match="Problem talking to the database"):
        surely_submitted(sweep)


def test_an_sbatch_that_outlived_its_driver_is_waited_for(
    sweep: SweepFolder, programs: Programs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accepted, "LOOK_EVERY_SECONDS", 0.01)
    programs.say("squeue", f'[ $(wc -l < "{programs.folder}/calls") -gt 5 ] && echo 7; exit 0')
    cut_off(sweep, age=1.0)
    assert surely_submitted(sweep) == {0: "7_0", 1: "7_1"}
    assert capsys.readouterr().err.count("A submission was cut off") == 1


def test_what_was_refused_is_not_looked_for(sweep: SweepFolder, programs: Programs) -> None:
    plan = Plan([], "slurm", "", "code", [], cluster=cluster())
    programs.fail("sbatch", "sbatch: error: invalid partition specified: nope")
    with pytest.raises(SlurmError, match="invalid partition"):
        submit(sweep, plan, [0, 1], "mine")
    assert surely_submitted(sweep) == {}
    assert programs.calls("squeue") == []


def test_an_sbatch_that_timed_out_may_have_been_heard(sweep: SweepFolder, programs: Programs) -> None:
    plan = Plan([], "slurm", "", "code", [], cluster=cluster())
    programs.fail("sbatch", "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation")
    with pytest.raises(SlurmError, match="timed out"):
        submit(sweep, plan, [0], "mine")
    programs.say("squeue", "echo 7")
    assert surely_submitted(sweep) == {0: "7_0"}


def test_a_second_command_does_not_submit_beside_the_first(planned: SweepFolder, programs: Programs) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(planned.path)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        with pytest.raises(HarnessError, match="Another command submits runs of"):
            resume_sweep(str(planned.path))
        assert programs.calls("sbatch") == []
    finally:
        first.kill()
        first.wait()
    with submitting(planned):  # a killed one holds nothing
        pass


def cluster() -> dict[str, object]:
    from harness.config.compose import compose_config, resolve

    return dict(resolve(compose_config(list(CPU))).cluster)
