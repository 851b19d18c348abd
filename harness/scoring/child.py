"""The scoring process: ``python -m harness.scoring.child FD`` answers requests on a connection until it closes.

Requests are ``(method, argument)``; answers are ``("ok", result)``, ``("failed", reason)`` where a sample could not be
scored, or ``("wrong", message, remedy)`` where the component itself is wrong and the run has to end. Before its answer
a manager of whole batches may ask for calls of functions that another process holds: ``("call", name, arguments,
named)``.
"""

from __future__ import annotations

import ctypes
import re
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UnscorableSample
from harness.records.stacks import answer_with_stacks
from harness.scoring.setup import Setup

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Build, say so, then answer."""
    answer_with_stacks()
    _end_with_parent()
    connection = Connection(int(sys.argv[1]))
    setup: Setup = connection.recv()
    sys.path[:] = list(setup.search_path)
    manager = None

    one_at_a_time = threading.Lock()

    def call(*what: Any) -> Any:
        with one_at_a_time:
            connection.send(("call", *what))
            return connection.recv()

    def build() -> tuple[str, Any]:
        nonlocal manager
        from harness.scoring.build import build_manager

        manager = build_manager(setup, call)
        method = next(name for name in ("score_batch", "call", "score") if hasattr(manager, name))
        return method, getattr(manager, "takes", None) if method == "call" else None

    answer = _attempt(build)
    connection.send(answer)
    if answer[0] != "ok":
        return
    _limit_memory(setup.memory_bytes)
    while True:
        try:
            method, argument = connection.recv()
        except EOFError:
            return
        connection.send(_attempt(getattr(manager, method), argument))


def _attempt(function: Any, *arguments: Any) -> tuple[Any, ...]:
    try:
        return ("ok", function(*arguments))
    except UnscorableSample as error:
        notes = "".join(f"{note}: " for note in getattr(error, "__notes__", ()))
        return ("failed", "error", f"{notes}{error.message.removesuffix('.')}")
    except HarnessError as error:
        return ("wrong", error.message, error.remedy)
    except MemoryError:
        return ("failed", "memory", f"it needed more memory than scoring.memory_gb allows {_place()}")
    except Exception as error:  # noqa: BLE001 - whatever a scorer raises costs its sample
        notes = "".join(f" {note}" for note in getattr(error, "__notes__", ()))
        return ("failed", "error", f"{type(error).__name__}{notes}: {error} {_place()}")


def _place() -> str:
    """Where the scorer's own code was when it raised."""
    frames = [frame for frame in traceback.extract_tb(sys.exc_info()[2]) if "harness/scoring" not in frame.filename]
    return f"({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _end_with_parent() -> None:
    """A scorer that hangs does not see its connection close."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit_memory(allowance: int) -> None:
    """So much beyond what is held now; Linux only."""
    status = Path("/proc/self/status")
    if not status.exists():
        return
    import resource

    held = re.search(r"VmData:\s+(\d+) kB", status.read_text())
    limit = (int(held[1]) << 10 if held else 0) + allowance
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))


if __name__ == "__main__":
    main()
