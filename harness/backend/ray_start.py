"""Starts Ray, once more where a busy machine was too slow for it, and says plainly why it does not start."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import ray

from harness.backend.leftovers import processes_ended_on_error
from harness.errors import HarnessError, TrainingError

TOO_SLOW = "timed out during startup"  # Ray gives its node 30 seconds, which is no setting
STAGE = "starting Ray"


def start_ray(settings: Mapping[str, Any]) -> None:
    """`ray.init`, tried twice where its own node was too slow. Whatever a failed try has started is ended.

    Args:
        settings: Its arguments.

    Raises:
        TrainingError: It does not start.
    """
    try:
        try:
            _init(settings)
        except Exception as error:
            if TOO_SLOW not in str(error):
                raise
            sys.stderr.write(f"harness: Ray's node was not up within 30 s ({_load()}); trying once more\n")
            _init(settings)
    except HarnessError:  # a signal's
        raise
    except Exception as error:  # Ray raises all kinds, plain ones among them
        raise _explained(error) from error


def _init(settings: Mapping[str, Any]) -> None:
    with processes_ended_on_error(), signals_kept():
        ray.init(**settings)


def _explained(error: Exception) -> TrainingError:
    if TOO_SLOW in str(error):
        return TrainingError(
            f"Ray cannot start: twice its node was not up within 30 s. The machine is too busy: {_load()}.",
            "End other work on it, or run fewer trainings at once, and start this one again.",
            STAGE,
        )
    remedy = "`ray_kwargs.ray_init.KEY=VALUE` passes settings to ray.init; see the log."
    return TrainingError(f"Ray cannot start: {error}", remedy, STAGE)


def _load() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"{os.getloadavg()[0]:.0f} processes want to run on {cores} cores"


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """Put signal handlers back: Ray installs one for SIGTERM that ends the process at once.

    Its processes inherit that SIGUSR2 is blocked: a scheduler's warning, which some send to every process of a job, is
    for this one.
    """
    numbers = (signal.SIGTERM, signal.SIGINT) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in numbers}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
