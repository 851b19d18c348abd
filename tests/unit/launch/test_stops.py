"""Signals of a scheduler: ask first, end when the time is over; and one driver a run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import Interrupted, NodeLost, Preempted, TakenOver, TrainingError
from harness.launch import fence
from harness.launch.fence import Fence
from harness.launch.stops import CANCEL_MARK, Stops
from harness.launch.supervise import supervise
from harness.records.run_folder import RunFolder
from harness.records.status import read_status
from harness.records.stop_request import stop_requested


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "outputs", "test")


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_warning_asks_the_training_to_stop(run: RunFolder, number: signal.Signals) -> None:
    def work(poll, announce):
        os.kill(os.getpid(), number)
        poll()  # there is time left
        assert stop_requested(run.path)
        raise RuntimeError("the training ended after its step")

    with pytest.raises(Preempted, match=f"the scheduler sent {number.name}"):
        supervise(run, work, 1, stops=Stops(run.path, warning_seconds=100, term_seconds=100))
    assert read_status(run).state == "preempted"
    assert not stop_requested(run.path)  # the next attempt begins without it


def test_a_step_that_takes_too_long_is_ended(run: RunFolder) -> None:
    stops = Stops(run.path, warning_seconds=0)

    def work(poll, announce):
        os.kill(os.getpid(), signal.SIGUSR2)
        while True:
            poll()

    with pytest.raises(Preempted):
        supervise(run, work, 1, stops=stops)
    assert read_status(run).state == "preempted"


def test_a_cancelled_run_ends_at_once(run: RunFolder) -> None:
    (run.path / CANCEL_MARK).touch()

    def work(poll, announce):
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("it went on")

    with pytest.raises(Interrupted) as caught:
        supervise(run, work, 1, stops=Stops(run.path, warning_seconds=100))
    assert not isinstance(caught.value, Preempted)
    assert read_status(run).state == "cancelled"


def loses_a_node(poll, announce):
    raise NodeLost("node n2 was lost", "Go on from the last checkpoint.") from RuntimeError("Connection closed by peer")


def test_a_run_that_lost_a_node_is_to_go_on(run: RunFolder) -> None:
    with pytest.raises(Preempted, match="The run was stopped: node n2 was lost"):
        supervise(run, loses_a_node, 1, stops=Stops(run.path, warning_seconds=100))
    status = read_status(run)
    assert status.state == "preempted"
    assert status.error is not None
    assert (status.error.type, status.error.message) == ("NodeLost", "node n2 was lost")


def test_nobody_starts_it_again_without_a_scheduler(run: RunFolder) -> None:
    with pytest.raises(TrainingError, match="node n2 was lost"):
        supervise(run, loses_a_node, 1)
    assert read_status(run).state == "failed"


def test_the_driver_that_came_last_has_the_run(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence, "LOOK_EVERY_SECONDS", 0.0)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr("os.getpid", lambda: child.pid)
    first = Fence(run)
    monkeypatch.undo()
    monkeypatch.setattr(fence, "LOOK_EVERY_SECONDS", 0.0)
    assert not first.lost()
    child.kill()
    child.wait()
    second = Fence(run)  # waits for the end of the one before, which is gone
    assert first.lost()
    assert not second.lost()

    def work(poll, announce):
        poll()

    with pytest.raises(TakenOver):
        supervise(run, work, 1, stops=Stops(run.path, fence=first))
    assert read_status(run).state == "running"  # what the other one wrote stays
