"""Scoring processes, one for each thread of a pool."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.scoring.process import ScoringProcess, Serve
from harness.scoring.setup import Setup


class Pool:
    """Starts a process in a thread of `executor` when it is first needed there, and again where one has ended.

    Args:
        setup: What the processes build.
        processes: How many there are at most.
        serve: See `ScoringProcess`.

    Raises:
        ComponentError: A component cannot be built.
    """

    def __init__(self, setup: Setup, processes: int = 1, serve: Serve | None = None) -> None:
        self.setup, self.serve = setup, serve
        self.executor = ThreadPoolExecutor(max_workers=processes, thread_name_prefix="scoring")
        self.own = threading.local()
        self.takes = self.executor.submit(self._process).result().takes

    def ask(self, argument: Any, seconds: float) -> Any:
        """See `ScoringProcess.ask`; call it in a thread of `executor`."""
        return self._process().ask(argument, seconds)

    def close(self) -> None:
        """End all threads, and with them their processes."""
        self.executor.shutdown(wait=True)

    def _process(self) -> ScoringProcess:
        current: ScoringProcess | None = getattr(self.own, "process", None)
        if current is None or current.closed:
            current = self.own.process = ScoringProcess(self.setup, self.serve)
        return current
