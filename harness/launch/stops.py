"""What signals mean to a run: a person's end it at once, a scheduler's let it save first.

Slurm sends ``USR2`` before a time limit and ``TERM`` before it takes a node back or cancels. A run that gets one asks
its training to save after the step that is under way and to stop; where that takes longer than the time it has, it is
ended and goes on from its last periodic checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from harness.errors import Interrupted, TakenOver
from harness.launch.fence import Fence
from harness.records.stop_request import request_stop, withdraw_stop

SHUTDOWN_SECONDS = 12.0  # what ending Ray and writing the status takes
MEANINGS = {"SIGUSR2": ", as its time limit (cluster.time) is near", "SIGTERM": ", as its node is wanted"}
STOPPING = "stopping: the run is being ended and recorded, which takes some seconds"
STILL_STOPPING = "still stopping: nothing more is needed (kill -9 {pid} ends it at once, and nothing records that)"
CANCEL_MARK = "cancelled"  # a file that `harness sweep cancel` leaves before it asks Slurm


class Stops:
    """Handlers of signals for the time of a run.

    Args:
        run: The run's folder.
        warning_seconds: What a scheduler's warning leaves before the end; None where no scheduler runs it, so that
            every signal ends the run at once.
        term_seconds: The same for ``TERM``.
        fence: Tells whether another process has taken the run over.

    Attributes:
        reason: Why a scheduler stops it; empty where none does.
        deadline: When it is ended, by the clock of `time.monotonic`.
        tell: Shows a line to the user.
    """

    def __init__(
        self,
        run: Path,
        warning_seconds: float | None = None,
        term_seconds: float = 30.0,
        fence: Fence | None = None,
    ) -> None:
        self.run, self.warning_seconds, self.term_seconds, self.fence = run, warning_seconds, term_seconds, fence
        self.reason = ""
        self.tell: Callable[[str], None] = _on_standard_error
        self.deadline = float("inf")
        self._before: dict[int, Any] = {}

    @property
    def by_scheduler(self) -> bool:
        """Whether a scheduler has asked for the stop, so that the run is to go on later."""
        return bool(self.reason) and not (self.run / CANCEL_MARK).exists()

    @property
    def can_be_queued(self) -> bool:
        """Whether a scheduler runs it and nobody has cancelled it."""
        return self.warning_seconds is not None and not (self.run / CANCEL_MARK).exists()

    def __enter__(self) -> Self:
        withdraw_stop(self.run)
        if threading.current_thread() is threading.main_thread():
            handlers: dict[int, Any] = {signal.SIGTERM: self._end, signal.SIGINT: self._end}
            if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # a closed terminal; nohup has it ignored
                handlers[signal.SIGHUP] = self._end
            if self.warning_seconds is not None:
                handlers |= {signal.SIGTERM: self._ask, signal.SIGUSR2: self._ask}
            self._before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        withdraw_stop(self.run)

    def poll(self) -> None:
        """Call it several times a second.

        Raises:
            Interrupted: The time is over and the training has not stopped by itself, or the run is another's now.
        """
        if self.fence is not None and self.fence.lost():
            self._ignore()
            raise TakenOver("Another process has taken the run over; this one leaves it alone.")
        if time.monotonic() > self.deadline:
            self._ignore()
            raise Interrupted(f"The run was stopped: {self.reason}, and the step took longer than was left.")

    def _ask(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if (self.run / CANCEL_MARK).exists():
            self._end(number, frame)
        seconds = self.term_seconds if number == signal.SIGTERM else float(self.warning_seconds or 0)
        deadline = time.monotonic() + max(1.0, seconds - SHUTDOWN_SECONDS)
        self.deadline = min(self.deadline, deadline)
        self.reason = self.reason or f"the scheduler sent {name}{MEANINGS.get(name, '')}"
        request_stop(self.run, self.reason)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ignore()
        self._say(STOPPING)
        raise Interrupted(f"The run got {signal.Signals(number).name}.")

    def _ignore(self) -> None:
        """What comes during the cleaning up changes nothing any more; a person's is answered, once."""
        for number in self._before:
            signal.signal(number, self._once_more if number == signal.SIGINT else signal.SIG_IGN)

    def _once_more(self, number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        self._say(STILL_STOPPING.format(pid=os.getpid()))

    def _say(self, words: str) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # a terminal that is closed, or in the middle of a line
            self.tell(words)


def _on_standard_error(words: str) -> None:
    sys.stderr.write(f"{words}\n")
