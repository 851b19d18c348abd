"""``status.json``: the state of a run, true at every moment, after a ``kill -9`` too.

One driver process writes it. A record that says ``running`` is believed only while that very process lives: on its own
host it is looked up by number and start time, from another host its heartbeat must be recent.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.records.process import is_alive
from harness.records.run_folder import RunFolder
from harness.records.state import RunError, State, Status, load_status, now, save_status, this_process

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["RunError", "Status", "StatusWriter", "read_status"]

HEARTBEAT_EVERY_S = 15.0
HEARTBEAT_TOO_OLD_S = 300.0  # twenty missed beats: more than a slow shared file system or a skewed clock explains


@dataclass
class StatusWriter:
    """Writes the status of a run; one process a run holds one.

    The first end that is recorded stands: a ``failed`` from cleaning up after a ``cancelled`` does not hide it.

    Args:
        run_folder: The run.
        run_id: Its id; by default the folder's name.
    """

    run_folder: RunFolder
    run_id: str = ""
    status: Status = field(init=False)
    _last_write: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        previous = load_status(self.run_folder.status)
        run_id = self.run_id or (previous.run_id if previous else "") or self.run_folder.run_id
        self.status = replace(previous or Status(), run_id=run_id)

    def pending(self) -> None:
        """Made by this process, which will start it."""
        self._write(**this_process(), state="pending")

    def queued(self) -> None:
        """Waiting in a scheduler's queue, so that no process stands for it yet."""
        self._write(state="pending", pid=None, pid_started=None, host="")

    def running(self, total_steps: int | None = None, stage: str = "") -> None:
        """This process begins the run, or takes it up again.

        Args:
            total_steps: Steps of the whole run; None keeps what is known.
            stage: What it is doing.
        """
        again = self.status.attempt > 0
        self._write(
            **this_process(),
            state="running",
            total_steps=self.status.total_steps if total_steps is None else total_steps,
            started=self.status.started or now(),
            resumed=now() if again else None,
            ended=None,
            error=None,
            attempt=self.status.attempt + 1,
            first_step=None,
            stage=stage,
        )

    def stage(self, name: str) -> None:
        """The run entered another stage."""
        if not self.status.has_ended and name != self.status.stage:
            self._write(stage=name)

    def advance(self, step: int, total_steps: int | None = None) -> None:
        """Step ``step`` is complete."""
        if not self.status.has_ended:
            self._write(
                step=step,
                total_steps=self.status.total_steps if total_steps is None else total_steps,
                first_step=step if self.status.first_step is None else self.status.first_step,
            )

    def validated(self, value: float) -> None:
        """A validation came to ``value``; the best is kept, so that a sweep's table need not read every record."""
        if not self.status.has_ended and (self.status.best is None or value > self.status.best):
            self._write(best=value)

    def beat(self) -> None:
        """Say that the run is alive. Cheap enough for every turn of a poll loop: it writes once in 15 seconds."""
        if not self.status.has_ended and time.monotonic() - self._last_write >= HEARTBEAT_EVERY_S:
            self._write()

    def done(self) -> None:
        """The run reached its end."""
        self._end("done")

    def failed(self, error: RunError) -> None:
        """The run could not go on."""
        self._end("failed", error)

    def cancelled(self) -> None:
        """A person stopped the run."""
        self._end("cancelled")

    def preempted(self, error: RunError | None = None) -> None:
        """It stopped short, to go on later: the scheduler took the machine back, or what the error says."""
        self._end("preempted", error)

    def _end(self, state: State, error: RunError | None = None) -> None:
        if not self.status.has_ended:
            self._write(state=state, ended=now(), error=error)

    def _write(self, **changes: Any) -> None:
        status = replace(self.status, heartbeat=now(), **changes)
        save_status(self.run_folder.status, status)
        self.status = status
        self._last_write = time.monotonic()


def read_status(run_folder: RunFolder | Path | str) -> Status:
    """What is true of a run now. Changes nothing.

    Args:
        run_folder: The run.

    Returns:
        The recorded status; ``failed`` with error type ``ProcessDied`` where the record says ``pending`` or ``running``
        but its process is gone; ``failed`` with ``StatusUnreadable`` where there is no whole record.
    """
    folder = run_folder if isinstance(run_folder, RunFolder) else RunFolder(run_folder)
    status = load_status(folder.status)
    if status is None:
        message = "status.json is missing or damaged, so the run's state is unknown"
        error = RunError("StatusUnreadable", message, "look at the end of its log", log=str(folder.log))
        return Status(state="failed", run_id=folder.run_id, error=error)
    if status.has_ended or _is_alive(status):
        return status
    return replace(status, state="failed", ended=status.heartbeat, error=_died(status, folder))


def _is_alive(status: Status) -> bool:
    if status.pid is None:
        return status.state == "pending"  # in a queue: nothing to look up
    if status.host == socket.gethostname():
        return is_alive(status.pid, status.pid_started or "")
    beat = datetime.fromisoformat(status.heartbeat) if status.heartbeat else datetime.min.replace(tzinfo=UTC)
    return (datetime.now(UTC) - beat).total_seconds() < HEARTBEAT_TOO_OLD_S


def _died(status: Status, folder: RunFolder) -> RunError:
    progress = f"step {status.step}" + (f" of {status.total_steps}" if status.total_steps else "")
    doing = f" while {status.stage}" if status.stage else ""
    message = (
        f"process {status.pid} on {status.host} is gone and recorded no end, after {progress}{doing}: "
        "it was killed (kill -9, out of memory) or its machine went down"
    )
    remedy = f"look at the end of {folder.log}"
    if step := folder.last_checkpoint():
        remedy += f", or go on from step {step}: harness train --resume {folder.path}"
    return RunError("ProcessDied", message, remedy, stage=status.stage, log=str(folder.log))
