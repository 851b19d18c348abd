"""Supervision of a run: state, log and exit for each way a piece of work can end. The work here is plain Python."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import ConfigurationError, Interrupted, TrainingError
from harness.launch.supervise import supervise
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


def test_a_full_disk_is_told_though_nothing_can_be_written(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(path, status):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    def work(poll, announce):
        monkeypatch.setattr("harness.records.status.save_status", full)
        announce("saving")

    with pytest.raises(TrainingError, match=r"No space is left for .*status.json") as caught:
        supervise(run, work, total_steps=1)
    assert "harness train --resume" in caught.value.remedy
    assert "No space is left" in capfd.readouterr().err
