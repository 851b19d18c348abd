"""When a run trained: seconds since its start, without the time in which it was down."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from harness.records.state import Status


@dataclass(frozen=True, eq=False)
class Clock:
    """The time of a run.

    Attributes:
        start: In seconds since the epoch; NaN where nothing is recorded.
        gaps: ``[gaps, 2]``, from the last sign of one attempt to the first of the next; work that an attempt lost
            counts as time all the same.
    """

    start: float
    gaps: np.ndarray

    def passed(self, moments: np.ndarray) -> np.ndarray:
        """Seconds that the run had worked at these moments (seconds since the epoch)."""
        down = ((self.gaps[:, 1] - self.gaps[:, 0])[:, None] * (self.gaps[:, 1][:, None] <= moments)).sum(axis=0)
        return moments - self.start - down


def read_clock(stages: Path, status: Status, moments: np.ndarray) -> Clock:
    """The clock of a run.

    Args:
        stages: Its ``stages.jsonl``, which is read where the run has been resumed.
        status: Its status.
        moments: When its steps were written.

    Raises:
        OSError: The stages cannot be read.
    """
    begun = [datetime.fromisoformat(status.started).timestamp()] if status.started else []
    begun += [float(moments.min())] if len(moments) else []
    start = min(begun, default=np.nan)
    if status.attempt < 2 and not status.resumed:
        return Clock(start, np.empty((0, 2)))
    gaps = [(max([before, *moments[moments < first]]), first) for before, first in _attempts(stages)]
    return Clock(start, np.array(gaps, np.float64).reshape(-1, 2))


def seconds_in_all(clock: Clock, status: Status, moments: np.ndarray) -> float:
    """How long a run has worked, to its end or its last sign of life; 0 where it never began."""
    signs = [datetime.fromisoformat(at).timestamp() for at in (status.ended or status.heartbeat,) if at]
    signs += [float(moments.max())] if len(moments) else []
    if not status.started and not len(moments):
        return 0.0
    return float(clock.passed(np.array([max(signs)]))[0]) if signs else 0.0


def _attempts(stages: Path) -> list[tuple[float, float]]:
    """Of each attempt after the first: the last entry before it, and its own first, in seconds since the epoch.

    Every attempt begins with the stage that the first began with.
    """
    if not stages.exists():
        return []
    lines = [line for line in stages.read_bytes().split(b"\n") if line.strip()]
    first = _entry(lines[0]).get("stage", "") if lines else ""
    mark = json.dumps(first).encode()
    found = []
    for before, line in pairwise(lines):
        if mark in line and (entry := _entry(line)).get("stage") == first and not entry.get("step"):
            found.append((_time(_entry(before)), _time(entry)))
    return found


def _time(entry: dict[str, Any]) -> float:
    return float(entry.get("time") or 0.0)


def _entry(line: bytes) -> dict[str, Any]:
    """An entry; an empty one for a torn line."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
