"""Starts and ends the process that tells W&B of a run; nothing it does, or fails to do, reaches the training."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import yaml

from harness.errors import Interrupted, Preempted, TakenOver
from harness.records.run_folder import RunFolder
from harness.tracking.service import end, services
from harness.tracking.state import TrackingState, read_tracking, write_tracking

LOG = "tracking.log"
CLOSING_SECONDS = 4.0
IN_A_HURRY_SECONDS = 3.0  # where a scheduler or a person has asked for the end


def tracks(config: Mapping[str, Any]) -> bool:
    """Whether a configuration asks for W&B; also as verl's users ask, by ``trainer.logger``."""
    trackers = verls_trackers((config.get("trainer") or {}).get("logger"))
    return (config.get("tracking") or {}).get("backend") == "wandb" or "wandb" in trackers


def verls_trackers(logger: Any) -> list[str]:
    """``trainer.logger`` as a list; verl takes a single name too."""
    return [logger] if isinstance(logger, str) else list(logger or ())


@contextlib.contextmanager
def tracked(run: RunFolder) -> Iterator[None]:
    """Follow the run for the time of a ``with`` block, at whose end the run's own end is recorded.

    Args:
        run: The run's folder; its configuration says whether it is followed.
    """
    config = _config(run)
    if not tracks(config) or os.environ.get("WANDB_MODE") == "disabled":
        yield
        return
    seconds = float((config.get("tracking") or {}).get("finish_seconds") or 0)
    write_tracking(run, replace(read_tracking(run), uploaded=False, why="W&B has not been told of it yet"))
    command = [sys.executable, "-m", "harness.tracking.follow", str(run.path), "--of", str(os.getpid())]
    with (run.path / LOG).open("ab") as log:
        follower = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield
    except TakenOver:
        seconds = 0
        raise
    except (Preempted, Interrupted):
        seconds = min(seconds, IN_A_HURRY_SECONDS)
        raise
    finally:
        _end(follower, seconds)


def _config(run: RunFolder) -> Mapping[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return (yaml.load(run.config.read_text(), Loader=loader) if run.config.is_file() else None) or {}


def told(run: RunFolder) -> str:
    """A line for the terminal: where the run is to be seen, or why it is not; empty where it was not followed."""
    state = read_tracking(run)
    if state == TrackingState():
        return ""
    if state.uploaded:
        return f"W&B: {state.url}{f', without {state.left_out}' if state.left_out else ''}"
    why = state.why or "W&B has not got all of it"
    return f"W&B: kept in {run.shown()}, as {why}. Upload it with: harness sync {run.shown()}"


def _end(follower: subprocess.Popen[bytes], seconds: float) -> None:
    """Give it the time to send what it has, and to close its files; the rest is kept in the run's folder."""
    for ask, wait in ((None, seconds), (follower.terminate, CLOSING_SECONDS), (follower.kill, None)):
        beside = services(follower.pid)  # the client's own, which a client that is killed leaves behind
        if ask:
            ask()
        with contextlib.suppress(subprocess.TimeoutExpired):
            follower.wait(wait)
            end(beside)
            return
