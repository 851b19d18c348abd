"""The record in ``status.json`` and how it is loaded and saved. Whether it is still true, `status.read_status` says."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import disk_full
from harness.records.atomic import json_text, write_over, write_text
from harness.records.process import process_started

if TYPE_CHECKING:
    from pathlib import Path

State = Literal["pending", "running", "done", "failed", "preempted", "cancelled"]
ENDED: frozenset[str] = frozenset({"done", "failed", "preempted", "cancelled"})


@dataclass(frozen=True)
class RunError:
    """Why a run failed, in the user's terms.

    Args:
        type: The exception's class, such as ``ValueError``.
        message: One or two sentences.
        remedy: What to do about it; empty where the message says so.
        stage: What the run was doing, such as ``loading the model``.
        log: Path of the log that holds the whole story.
    """

    type: str
    message: str
    remedy: str = ""
    stage: str = ""
    log: str = ""


@dataclass(frozen=True)
class Status:
    """The content of ``status.json``.

    Times are ISO 8601 in UTC; ``attempt`` counts the first start and each resume; ``best`` is the highest validation so
    far, the mean over data sources; ``first_step`` is the first one of this attempt.
    """

    state: State = "pending"
    step: int = 0
    total_steps: int | None = None
    first_step: int | None = None
    best: float | None = None
    started: str | None = None
    resumed: str | None = None
    ended: str | None = None
    attempt: int = 0
    stage: str = ""
    run_id: str = ""
    pid: int | None = None
    pid_started: str | None = None
    host: str = ""
    heartbeat: str | None = None
    error: RunError | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the run is over, in whatever way."""
        return self.state in ENDED

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took, in seconds, or None where it has not ended (or never began)."""
        begun = self.resumed or self.started
        if not begun or not self.ended:
            return None
        return (datetime.fromisoformat(self.ended) - datetime.fromisoformat(begun)).total_seconds()


def save_status(path: Path, status: Status) -> None:
    """Write the record in one step; on a full disk the end of a run goes where the last record lies."""
    text = json_text(asdict(status))
    try:
        write_text(path, text)
    except OSError as error:
        if not status.has_ended or disk_full(error) is None:
            raise
        write_over(path, text)


def load_status(path: Path) -> Status | None:
    """The record as written, or None where there is no whole one."""
    try:
        values = json.loads(path.read_bytes())
        known = {f.name for f in fields(Status)}
        values = {key: value for key, value in values.items() if key in known}
        error = values.get("error")
        return Status(**{**values, "error": RunError(**error) if error else None})
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return None


def this_process() -> dict[str, Any]:
    """The fields of a `Status` that name the process that calls this."""
    pid = os.getpid()
    return {"pid": pid, "pid_started": process_started(pid), "host": socket.gethostname()}


def now() -> str:
    """The present moment as the record writes it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
