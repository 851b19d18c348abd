"""Starts and ends the process that tells W&B of a run; nothing it does, or fails to do, reaches the training."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from harness.records.run_folder import RunFolder
from harness.tracking.state import TrackingState, read_tracking, write_tracking

LOG = "tracking.log"


def tracks(config: Mapping[str, Any]) -> bool:
    """Whether a configuration asks for W&B; also as verl's users ask, by ``trainer.logger``."""
    logger = (config.get("trainer") or {}).get("logger") or ()
    return (config.get("tracking") or {}).get("backend") == "wandb" or "wandb" in logger


@contextlib.contextmanager
def tracked(run: RunFolder, config: Mapping[str, Any]) -> Iterator[None]:
    """Follow the run for the time of a ``with`` block, whose end is to find the run's end recorded.

    Args:
        run: The run's folder, with its record begun.
        config: Its configuration.
    """
    if not tracks(config):
        yield
        return
    if read_tracking(run) == TrackingState():
        write_tracking(run, TrackingState(why="W&B has not been told of it yet"))
    command = [sys.executable, "-m", "harness.tracking.follow", str(run.path), "--of", str(os.getpid())]
    with (run.path / LOG).open("ab") as log:
        follower = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    finally:
        _end(follower, float(config["tracking"].get("finish_seconds") or 0))


def _end(follower: subprocess.Popen[bytes], seconds: float) -> None:
    """Give it the time to send what it has; the rest is kept in the run's folder."""
    try:
        follower.wait(max(0.1, seconds))
    except subprocess.TimeoutExpired:
        follower.kill()
        follower.wait()
