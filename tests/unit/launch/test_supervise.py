"""Supervision of a run: state, log and exit for each way a piece of work can end. The work here is plain Python."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ConfigurationError, Interrupted, TrainingError
from harness.launch.stops import Stops
from harness.launch.supervise import Work, supervise
from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.status import read_status


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "outputs", "test")


def test_work_that_ends_well(run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    def work(poll, announce):
        announce("working")
        os.write(1, b"raw words of a C library\n")
        subprocess.run([sys.executable, "-c", "print('words of a child')"], check=True)
        writer = MetricsWriter(run.metrics)
        writer.write(0, {"val-core/task/acc/mean@1": 0.75})
        writer.write(1, {"critic/score/mean": 0.5, "val-core/task/acc/mean@1": 0.25})
        poll()

    summary = supervise(run, work, total_steps=1)
    status = read_status(run)
    assert (status.state, summary.steps, status.best, status.first_step) == ("done", 1, 0.75, 1)
    assert run.report.is_file()
    log, shown = run.log.read_text(), capfd.readouterr().out
    for words in ("raw words of a C library", "words of a child"):
        assert words in log
        assert words not in shown
    assert "done: 1 step" in shown


def test_work_that_fails(run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    def work(poll, announce):
        announce("dividing")
        raise ZeroDivisionError("by zero")

    with pytest.raises(TrainingError, match="by zero") as caught:
        supervise(run, work, total_steps=1)
    status = read_status(run)
    assert (status.state, status.error.stage, caught.value.log) == ("failed", "dividing", str(run.log))
    assert "by zero" in capfd.readouterr().err


def test_an_error_of_ours_keeps_message_and_remedy(run: RunFolder) -> None:
    def work(poll, announce):
        raise ConfigurationError("key: wrong.", "Do this.")

    with pytest.raises(TrainingError):
        supervise(run, work, total_steps=1)
    error = read_status(run).error
    assert (error.type, error.message, error.remedy) == ("ConfigurationError", "key: wrong.", "Do this.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_work_that_is_stopped(run: RunFolder, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def work(poll, announce):
        try:
            os.kill(os.getpid(), number)
            poll()
        finally:
            raise RuntimeError("ending what was under way failed too")

    with pytest.raises(Interrupted, match="--resume"):
        supervise(run, work, total_steps=1)
    assert read_status(run).state == "cancelled"
    assert signal.getsignal(number) is before


DEBUGGED = """
import sys
from pathlib import Path
from harness.launch.supervise import supervise
from harness.records.run_folder import RunFolder

def work(poll, announce):
    answer = 42
    print("words of this process")
    breakpoint()

supervise(RunFolder.create(Path(sys.argv[1]), "test", "run"), work, total_steps=1, foreground=True)
"""


def test_in_the_foreground_a_debugger_has_the_terminal(tmp_path: Path) -> None:
    command = [sys.executable, "-c", DEBUGGED, str(tmp_path)]
    ended = subprocess.run(command, input="p answer\nc\n", capture_output=True, text=True, check=True)
    assert "words of this process" in ended.stdout
    assert "(Pdb) 42" in ended.stdout
    assert "words of this process" in (tmp_path / "test/run/train.log").read_text()
    assert read_status(tmp_path / "test/run").state == "done"


def full(path: object, *_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", str(path))


def test_a_full_disk_is_told_though_nothing_can_be_written(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def work(poll, announce):
        monkeypatch.setattr("harness.records.status.save_status", full)
        announce("saving")

    with pytest.raises(TrainingError, match=r"No space is left for .*status.json") as caught:
        supervise(run, work, total_steps=1)
    assert "harness train --resume" in caught.value.remedy
    assert "No space is left" in capfd.readouterr().err


def test_a_second_ctrl_c_is_answered_once(run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    def work(poll, announce):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="--resume"):
        supervise(run, work, total_steps=1)
    shown = capfd.readouterr().out
    assert shown.count("stopping: the run is being ended and recorded") == 1
    assert shown.count("still stopping: nothing more is needed") == 1
    assert read_status(run).state == "cancelled"


def interrupted(poll, announce):
    os.kill(os.getpid(), signal.SIGINT)


def preempted(poll, announce):
    os.kill(os.getpid(), signal.SIGUSR2)
    raise RuntimeError("the training ended after its step")


@pytest.mark.parametrize(
    ("last", "state"), [(lambda poll, announce: None, "done"), (interrupted, "cancelled"), (preempted, "preempted")]
)
def test_on_a_full_disk_the_end_is_recorded_over_the_last_record(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], last: Work, state: str
) -> None:
    def work(poll, announce):
        monkeypatch.setattr("harness.records.state.write_text", full)
        monkeypatch.setattr("harness.launch.supervise.write_report", full)
        last(poll, announce)

    with contextlib.suppress(Interrupted):
        supervise(run, work, total_steps=1, stops=Stops(run.path, warning_seconds=100))
    assert read_status(run).state == state
    shown, told = capfd.readouterr()
    assert "the report could not be written: [Errno 28] No space left on device" in shown
    assert "Traceback" not in shown + told + run.log.read_text()


@pytest.mark.parametrize("last", [interrupted, preempted])
def test_a_stop_on_a_disk_that_takes_nothing_is_told_all_the_same(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, last: Work
) -> None:
    def work(poll, announce):
        monkeypatch.setattr("harness.records.status.save_status", full)
        last(poll, announce)

    with pytest.raises(Interrupted, match="The run was stopped"):
        supervise(run, work, total_steps=1, stops=Stops(run.path, warning_seconds=100))


@pytest.mark.parametrize("done", [True, False], ids=["at the end", "at the start"])
def test_a_disk_that_takes_nothing_beside_the_work(run: RunFolder, monkeypatch: pytest.MonkeyPatch, done: bool) -> None:
    def work(poll, announce):
        monkeypatch.setattr("harness.records.status.save_status", full)

    if not done:
        work(None, None)
    with pytest.raises(TrainingError, match=r"No space is left for .*status\.json") as caught:
        supervise(run, work, total_steps=1)
    assert not caught.value.log, "the command line tells it, as no view has"


FULL_LOG = """
import sys
from pathlib import Path
from harness.errors import HarnessError
from harness.launch.supervise import supervise
from harness.records.run_folder import RunFolder

def work(poll, announce):
    print("words that find no room", flush=bool(sys.argv[2:]))

run = RunFolder.create(Path(sys.argv[1]), "test", "run")
run.log.symlink_to("/dev/full")
try:
    supervise(run, work, total_steps=1)
except HarnessError as error:
    sys.exit(f"error: {error}")
"""


@pytest.mark.parametrize("at_once", [True, False])
def test_a_log_without_room(tmp_path: Path, at_once: bool) -> None:
    command = [sys.executable, "-c", FULL_LOG, str(tmp_path), *(["at once"] if at_once else [])]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=buffered)
    assert ended.returncode == (1 if at_once else 0)
    assert ("No space is left for" in ended.stderr) is at_once
    assert "Traceback" not in ended.stderr
    assert "words that find no room" not in ended.stdout
    assert read_status(tmp_path / "test/run").state == ("failed" if at_once else "done")
