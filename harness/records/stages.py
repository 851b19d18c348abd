"""``stages.jsonl``: what the training process does, ``{"time", "stage", "step"}`` appended at each change."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records.jsonl import JsonLinesTail, append_line

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class StageEntry:
    """A stage was entered.

    Args:
        stage: Its name in plain words, such as ``loading the model``.
        step: 0 during start-up, else the training step.
        time: When, in seconds since the epoch.
    """

    stage: str
    step: int
    time: float


class StageLog:
    """Appends the stages of a run.

    Args:
        path: ``stages.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def enter(self, stage: str, step: int = 0) -> None:
        """The run now does ``stage``; what it did before has ended."""
        append_line(self.path, {"time": round(time.time(), 3), "stage": stage, "step": int(step)})


class StageTail:
    """Reads the stages that were entered since the last time.

    Args:
        path: ``stages.jsonl``, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._lines = JsonLinesTail(path)

    def poll(self) -> list[StageEntry]:
        """The new entries, oldest first."""
        return [
            StageEntry(str(line["stage"]), int(line.get("step") or 0), float(line.get("time") or 0.0))
            for line in self._lines.poll()
            if "stage" in line
        ]


def read_stages(path: Path) -> list[StageEntry]:
    """All entries of ``path``, oldest first; none where it does not exist."""
    return StageTail(path).poll()
