"""What a run's further nodes do: a part of the Ray cluster whose head is on its first node, until that one is done.

    python -m harness.backend.node

It ends by itself when the head does, in whatever way, so that nothing of the run is left on the node. Where Ray ends
here alone, it leaves a word and no exit code: Slurm would end the first node, which has to record why.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.backend.leftovers import processes_ended, temporary_folder
from harness.backend.nodes import SILENT_SECONDS, answers_at
from harness.records.meeting import Head, Meeting

POLL_SECONDS = 0.5
LOOK_EVERY_SECONDS = 3.0
ENDING_SECONDS = 15.0
OVER = "the run is over"


def main() -> int:
    """Join, serve, leave."""
    meeting = Meeting.from_environment()
    if meeting is None:
        raise SystemExit(__doc__)
    head = _await_head(meeting)
    if head is None:
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # unlike SIG_IGN, Ray's processes do not inherit it
    os.environ |= {**head.environment, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": head.token}
    with temporary_folder() as (folder, note_for_janitor), processes_ended(patience=2.0) as note_processes:
        try:
            ray = _joined(meeting, head, folder)
        except OSError as error:
            meeting.fail(f"ray cannot be started: {error}")
            return 0
        note_for_janitor()
        why = _serve(meeting, head, ray)
        note_processes()
        _end(ray, ENDING_SECONDS if why == OVER else 0.0)  # without its head it would wait in vain to be let go
    sys.stderr.write(f"harness: node {meeting.name} leaves: {why}\n")
    return 0


def _await_head(meeting: Meeting) -> Head | None:
    """How to join; None where the first node ends before its Ray is up. Slurm ends this one if that one is killed."""
    while not (head := meeting.head()):
        if meeting.is_closed():
            return None
        time.sleep(POLL_SECONDS)
    return head


def _joined(meeting: Meeting, head: Head, folder: str) -> subprocess.Popen[bytes]:
    """Ray's processes of this node, as children that end with theirs."""
    offered = [f"--{name.replace('_', '-')}={value}" for name, value in head.resources.items()]
    command = [str(Path(sys.executable).with_name("ray")), "start", "--block", f"--address={head.address}",
               f"--node-ip-address={meeting.address}", f"--node-name={meeting.name}", f"--temp-dir={folder}",
               "--dashboard-agent-listen-port=0", "--disable-usage-stats", *offered]  # fmt: skip
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def _serve(meeting: Meeting, head: Head, ray: subprocess.Popen[bytes]) -> str:
    """Returns why it is over."""
    host, _, port = head.address.rpartition(":")
    place = host.strip("[]"), int(port)
    answered = looked = time.monotonic()
    while True:
        time.sleep(POLL_SECONDS)
        if meeting.is_closed():
            return OVER
        if (now := time.monotonic()) - looked > LOOK_EVERY_SECONDS:
            looked = now
            answers = answers_at(*place, seconds=LOOK_EVERY_SECONDS)
            answered = now if answers else answered
            if answers is False or now - answered > SILENT_SECONDS:
                return f"the head at {head.address} is gone"
        if ray.poll() is not None:
            why = f"Ray ended with exit code {ray.returncode}"
            if answers_at(*place, seconds=LOOK_EVERY_SECONDS):
                meeting.fail(why)
            return why


def _end(ray: subprocess.Popen[bytes], patience: float) -> None:
    ray.send_signal(signal.SIGTERM)
    try:
        ray.wait(patience)
    except subprocess.TimeoutExpired:
        ray.kill()
        ray.wait()


if __name__ == "__main__":
    sys.exit(main())
