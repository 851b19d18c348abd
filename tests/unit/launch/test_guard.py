"""A run under a watchdog: named, ended or left alone, whatever its driver is doing. The work here is plain Python."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.errors import Hang, TrainingError
from harness.launch import guard
from harness.launch.supervise import supervise
from harness.launch.watchdog import Settings
from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.signs import RUN, give_sign
from harness.records.stages import StageLog
from harness.records.status import read_status

SECONDS = 1.0
QUICK = SECONDS / 60


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "outputs", "test")


def poll_for(seconds: float, poll) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        poll()
        time.sleep(0.01)


def hanging(run: RunFolder):
    def work(poll, announce):
        StageLog(run.stages).enter("generating", 3)
        poll_for(30, poll)

    return work


def test_a_hang_fails_the_run_with_stage_limit_and_stacks(run: RunFolder) -> None:
    with pytest.raises(TrainingError, match="generating") as caught:
        supervise(run, hanging(run), total_steps=5, watchdog=Settings(QUICK))
    assert not isinstance(caught.value, Hang)
    status = read_status(run)
    assert (status.state, status.error.type, status.error.stage) == ("failed", "Hang", "generating")
    assert status.error.message.startswith("generating (step 3) has not progressed for 1.")
    assert status.error.message.endswith("; the limit is 1.0 s")
    (folder,) = run.stacks.iterdir()
    assert f"stacks/{folder.name}; where it was only slow, raise cluster.watchdog.minutes." in status.error.remedy
    assert "in poll_for" in next(folder.glob("*-driver.txt")).read_text()
    assert (folder / "hang.txt").read_text().startswith("generating (step 3)")


def test_one_that_is_to_be_retried_goes_on_later(run: RunFolder) -> None:
    with pytest.raises(Hang):
        supervise(run, hanging(run), total_steps=5, watchdog=Settings(QUICK, on_hang="retry"))
    status = read_status(run)
    assert (status.state, status.error.type) == ("preempted", "Hang")


def test_a_warning_changes_nothing(run: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    def work(poll, announce):
        announce("thinking")
        poll_for(3 * SECONDS, poll)

    supervise(run, work, total_steps=None, watchdog=Settings(QUICK, on_hang="warn"))
    assert read_status(run).state == "done"
    assert capfd.readouterr().out.count("! thinking has not progressed for 1.") == 1
    assert len(list(run.stacks.iterdir())) == 1


def test_one_that_goes_on_while_its_stacks_are_taken_is_left_alone(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    went_on = threading.Event()

    def take_stacks(folder: Path) -> str:
        folder.mkdir(parents=True)
        StageLog(run.stages).enter("updating the actor", 3)
        went_on.set()
        return ""

    monkeypatch.setattr(guard, "take_stacks", take_stacks)

    def work(poll, announce):
        StageLog(run.stages).enter("generating", 3)
        while not went_on.is_set():
            poll_for(0.1, poll)
        poll_for(SECONDS / 2, poll)

    supervise(run, work, total_steps=5, watchdog=Settings(QUICK, factor=1.0))
    assert read_status(run).state == "done"
    assert "! generating (step 3) has not progressed" in capfd.readouterr().out


@pytest.mark.parametrize("kind", ["sign", "metrics", "stage"])
def test_signs_metrics_and_stages_are_progress(run: RunFolder, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr("harness.records.signs.EVERY_SECONDS", 0.0)
    monkeypatch.setenv(RUN, str(run.path))
    metrics, stages = MetricsWriter(run.metrics), StageLog(run.stages)

    def work(poll, announce):
        stages.enter("generating", 1)
        for step in range(1, 10):
            poll_for(SECONDS / 4, poll)
            if kind == "sign":
                give_sign()
            elif kind == "metrics":
                metrics.write(step, {})
            else:
                stages.enter("generating", step)

    supervise(run, work, total_steps=9, watchdog=Settings(QUICK, factor=1.0))
    assert read_status(run).state == "done"
    assert not run.stacks.exists()


def test_what_loads_or_saves_progresses_by_the_bytes_it_moves(run: RunFolder) -> None:
    def work(poll, announce):
        announce("saving a checkpoint")
        with Path(os.devnull).open("wb", buffering=0) as file:  # which, unlike a disk, never makes a writer wait
            until = time.monotonic() + 3 * SECONDS
            while time.monotonic() < until:
                file.write(bytes(2**24))  # far more than counts, however slow the machine is
                poll_for(0.02, poll)
        announce("computing")
        poll_for(30, poll)

    with pytest.raises(TrainingError, match="computing has not progressed"):
        supervise(run, work, total_steps=None, watchdog=Settings(QUICK, factor=1.0))


def test_a_driver_that_hangs_itself_is_interrupted(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "NOTICE_SECONDS", 0.1)

    def work(poll, announce):
        announce("starting Ray")
        threading.Event().wait()

    with pytest.raises(TrainingError, match="starting Ray has not progressed"):
        supervise(run, work, total_steps=None, watchdog=Settings(QUICK))
    assert read_status(run).error.type == "Hang"


DEAF = """
import sys, threading
from harness.launch import guard
from harness.launch.supervise import supervise
from harness.launch.watchdog import Settings
from harness.records.run_folder import RunFolder

guard.NOTICE_SECONDS = guard.ENDING_SECONDS = 0.2

def work(poll, announce):
    announce("starting Ray")
    while True:
        try:
            threading.Event().wait()
        except BaseException:
            pass

supervise(RunFolder(sys.argv[1]), work, None, watchdog=Settings(0.02, on_hang="retry"))
"""


def test_a_driver_that_cannot_be_interrupted_is_ended(run: RunFolder) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    ended = subprocess.run([sys.executable, "-c", DEAF, run.path], env=environment, timeout=50, check=False)
    assert ended.returncode == 1
    status = read_status(run)
    assert (status.state, status.error.type) == ("failed", "Hang")
    assert status.error.message.endswith("and its driver could not end it")
