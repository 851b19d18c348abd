"""The status of a run is true, whatever became of its process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from harness.records.checkpoints import begin, complete
from harness.records.process import is_alive, process_started
from harness.records.run_folder import RunFolder
from harness.records.state import save_status
from harness.records.status import HEARTBEAT_TOO_OLD_S, RunError, StatusWriter, read_status

_CHILD = """
import sys
from harness.records.run_folder import RunFolder
from harness.records.status import StatusWriter
writer = StatusWriter(RunFolder(sys.argv[1]))
writer.running(total_steps=40, stage="starting Ray")
writer.advance(12)
writer.stage("updating the policy")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path, "demo")


def _start(folder: RunFolder) -> subprocess.Popen[str]:
    """A real process that runs the run; returns once it says so."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    return child


def test_a_run_goes_through_its_states(folder):
    writer = StatusWriter(folder)
    writer.running(total_steps=3, stage="starting Ray")
    writer.stage("loading the model")
    writer.advance(2)
    status = read_status(folder)
    assert (status.state, status.step, status.total_steps, status.stage) == ("running", 2, 3, "loading the model")
    assert (status.pid, status.host) == (os.getpid(), socket.gethostname())
    writer.done()
    status = read_status(folder)
    assert status.state == "done"
    assert status.seconds >= 0


@pytest.mark.parametrize("state", ["done", "cancelled", "preempted"])
def test_each_end_has_its_state(folder, state):
    writer = StatusWriter(folder)
    writer.running()
    getattr(writer, state)()
    status = read_status(folder)
    assert (status.state, status.has_ended, status.error) == (state, True, None)


def test_a_failure_keeps_its_error(folder):
    error = RunError("ValueError", "no number", "look there", "reward", "train.log")
    writer = StatusWriter(folder)
    writer.running()
    writer.failed(error)
    assert read_status(folder).error == error


def test_the_first_end_stands(folder):
    writer = StatusWriter(folder)
    writer.running()
    writer.cancelled()
    writer.failed(RunError("ActorDiedError", "from cleaning up"))
    writer.advance(7)
    writer.beat()
    status = read_status(folder)
    assert (status.state, status.step, status.error) == ("cancelled", 0, None)


def test_a_killed_run_reads_as_failed(folder):
    child = _start(folder)
    assert read_status(folder).state == "running"
    child.send_signal(signal.SIGKILL)
    # Not waited for yet: a zombie still has its number, and must not pass for a living run.
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    status = read_status(folder)
    child.communicate()
    assert (status.state, status.error.type, status.error.stage) == ("failed", "ProcessDied", "updating the policy")
    assert "step 12 of 40" in status.error.message
    assert read_status(folder).state == "failed"
    assert json.loads(folder.status.read_text())["state"] == "running", "reading changes nothing"


def test_a_killed_run_with_a_checkpoint_says_how_to_go_on(folder):
    child = _start(folder)
    child.kill()
    child.communicate()
    begin(folder.checkpoints / "global_step_10")
    complete(folder.checkpoints / "global_step_10")
    begin(folder.checkpoints / "global_step_11")
    assert f"go on from step 10: harness train --resume {folder}" in read_status(folder).error.remedy


def test_a_recycled_process_number_is_not_taken_for_the_run(folder):
    writer = StatusWriter(folder)
    writer.running()
    save_status(folder.status, replace(writer.status, pid_started="an earlier boot/1"))
    assert read_status(folder).error.type == "ProcessDied"


@pytest.mark.parametrize(("age_s", "state"), [(5.0, "running"), (HEARTBEAT_TOO_OLD_S + 5, "failed")])
def test_on_another_host_the_heartbeat_decides(folder, age_s, state):
    writer = StatusWriter(folder)
    writer.running()
    beat = (datetime.now(UTC) - timedelta(seconds=age_s)).isoformat()
    save_status(folder.status, replace(writer.status, host="another-host", heartbeat=beat))
    assert read_status(folder).state == state


def test_a_queued_run_stays_pending_without_a_process(folder):
    StatusWriter(folder).queued()
    assert read_status(folder).state == "pending"


def test_a_resumed_run_counts_its_attempts_and_keeps_its_start(folder):
    first = StatusWriter(folder)
    first.running(total_steps=9)
    first.advance(4)
    first.preempted()
    second = StatusWriter(folder)
    second.running()
    status = read_status(folder)
    assert (status.state, status.attempt, status.step, status.total_steps) == ("running", 2, 4, 9)
    assert (status.ended, status.error) == (None, None)
    assert status.started == first.status.started
    assert status.resumed >= status.started


@pytest.mark.parametrize("content", [None, "", '{"state": "runn', "[]", '{"error": 3}'])
def test_a_missing_or_torn_record_is_no_success(folder, content):
    folder.status.unlink()
    if content is not None:
        folder.status.write_text(content)
    status = read_status(folder)
    assert (status.state, status.error.type) == ("failed", "StatusUnreadable")


def test_a_record_of_a_later_version_with_more_fields_is_read(folder):
    values = json.loads(folder.status.read_text())
    folder.status.write_text(json.dumps({**values, "new_field": 1}))
    assert read_status(folder).state == "pending"


def test_a_heartbeat_is_not_written_at_every_turn(folder):
    writer = StatusWriter(folder)
    writer.running()
    before = folder.status.stat().st_mtime_ns
    for _ in range(100):
        writer.beat()
    assert folder.status.stat().st_mtime_ns == before
    writer._last_write = float("-inf")
    writer.beat()
    assert folder.status.stat().st_mtime_ns > before


def test_a_process_is_known_by_number_and_start():
    started = process_started(os.getpid())
    assert is_alive(os.getpid(), started)
    assert not is_alive(os.getpid(), "something else")
    assert process_started(2**22 + 1) is None


def test_a_reader_never_meets_a_half_written_status(folder):
    program = (
        "import sys\nfrom harness.records.run_folder import RunFolder\n"
        "from harness.records.status import StatusWriter\n"
        "writer = StatusWriter(RunFolder(sys.argv[1]))\nwriter.running()\n"
        "for step in range(300): writer.advance(step)\nwriter.done()"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(folder)])
    states = set()
    while child.poll() is None:
        states.add(json.loads(folder.status.read_text())["state"])
    assert child.returncode == 0
    assert "running" in states
    assert states <= {"pending", "running", "done"}
