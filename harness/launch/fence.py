"""One driver a run: the one that came last. The others notice and end themselves.

A lock would not do: the holder's node may be gone, or be cut off and still running what Slurm has started again
elsewhere. So each driver leaves its token in the run's folder, waits until the one before is gone or silent, and looks
now and then whether the token is still its own.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from pathlib import Path

from harness.errors import HarnessError
from harness.records.atomic import write_json
from harness.records.process import is_alive, process_started
from harness.records.run_folder import RunFolder
from harness.records.state import load_status

TOKEN = "driver.json"
SILENT_SECONDS = 20.0  # a running driver writes its heartbeat every 15
HANGING_SECONDS = 120.0  # more than a driver takes to notice, and to end its Ray
LOOK_EVERY_SECONDS = 2.0


class Fence:
    """This process's claim on a run.

    Args:
        run: The run's folder.

    Raises:
        HarnessError: A process of this host drives it and does not notice that it has been replaced.
    """

    def __init__(self, run: RunFolder) -> None:
        self.path = run.path / TOKEN
        self.token = secrets.token_hex(8)
        self._looked = time.monotonic()
        before = _read(self.path)
        pid = os.getpid()
        mine = {"token": self.token, "host": socket.gethostname(), "pid": pid, "pid_started": process_started(pid)}
        write_json(self.path, {**mine, "job": os.environ.get("SLURM_JOB_ID", "")})
        if before:
            _wait_for_the_end_of(before, run)

    def lost(self) -> bool:
        """Whether another driver has come since. Cheap enough for every turn of a poll loop."""
        if time.monotonic() - self._looked < LOOK_EVERY_SECONDS:
            return False
        self._looked = time.monotonic()
        return _read(self.path).get("token", self.token) != self.token


def _read(path: Path) -> dict[str, str]:
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _wait_for_the_end_of(driver: dict[str, str], run: RunFolder) -> None:
    """Until it has ended: its process is gone, or, on another host, its heartbeat stands still."""
    if driver.get("host") == socket.gethostname():
        pid, since = int(driver.get("pid") or 0), time.monotonic()
        while pid and is_alive(pid, driver.get("pid_started") or ""):
            if time.monotonic() - since > HANGING_SECONDS:
                raise HarnessError(
                    f"{run.path} is driven by process {pid} of this host, which does not let go of it.",
                    f"End it (kill {pid}), then start the run again.",
                )
            time.sleep(0.2)
        return
    last, since = _heartbeat(run), time.monotonic()
    while last and time.monotonic() - since < SILENT_SECONDS:
        status = load_status(run.status)
        if status is None or status.has_ended:
            return
        if _heartbeat(run) != last:
            last, since = _heartbeat(run), time.monotonic()
        time.sleep(0.5)


def _heartbeat(run: RunFolder) -> str:
    status = load_status(run.status)
    return (status.heartbeat or "") if status and status.state == "running" else ""
