"""The process that the client of W&B starts beside its own, `wandb-core`, and its end where it does not come by itself.

At its exit the client waits for it without a limit, and now and then it never ends: seen with wandb 0.31 in a few of
some hundred processes that had asked the server something. A client that is killed leaves it behind then.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time

import psutil

NAME = "wandb-core"
SECONDS = 5.0  # after the client has told it to end; what there was to send has been sent before


def services(process: int) -> list[psutil.Process]:
    """Those that a process, or one below it, has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [child for child in psutil.Process(process).children(recursive=True) if _is_one(child)]
    return []


def end(found: list[psutil.Process]) -> None:
    """Kill those that are still there."""
    for service in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            service.kill()


@functools.cache
def end_with_this_process(seconds: float = SECONDS) -> None:
    """Let this process's own live so many seconds at most after the program's end, so that its exit comes to an end."""
    threading.Thread(target=_end_late, args=(seconds,), daemon=True).start()


def _end_late(seconds: float) -> None:
    threading.main_thread().join()  # returns before the exit handlers run, in which the client waits
    time.sleep(seconds)
    end(services(os.getpid()))


def _is_one(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name() == NAME
    return False
