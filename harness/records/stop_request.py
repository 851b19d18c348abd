"""The wish that a training stop after the step that is under way, as a file that both its processes see."""

from __future__ import annotations

from pathlib import Path

from harness.records.atomic import write_json

NAME = "stop.json"


def request_stop(run: Path, reason: str) -> None:
    """Ask for it."""
    write_json(run / NAME, {"reason": reason})


def withdraw_stop(run: Path) -> None:
    """Take it back; nothing happens where there is none."""
    (run / NAME).unlink(missing_ok=True)


def stop_requested(run: Path) -> bool:
    """Whether it is asked for."""
    return (run / NAME).exists()
