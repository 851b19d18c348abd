"""Looks after a run from a thread of its own, so that a driver that hangs itself is noticed too.

On a hang it takes the stacks of all processes and leaves the error for the driver's poll loop to raise. A driver that
does not poll gets an interrupt; one that does not end then is ended.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import psutil

from harness.errors import Hang
from harness.launch.stacks import take_stacks
from harness.launch.watchdog import Settings, Silence, Watchdog
from harness.records.run_folder import RunFolder
from harness.records.stages import StageTail
from harness.records.status import RunError, StatusWriter

NOTICE_SECONDS = 30.0  # in which a driver's poll loop comes round
ENDING_SECONDS = 180.0  # for Ray to be ended: many times what it takes
MOVING = ("making ", "starting", "importing", "reading", "loading", "looking for", "resuming", "saving", "sending")
MOVING_RATE = 2**20  # bytes a second read or written by one process: idle ones of Ray's stay far below


class Guard:
    """The watchdog of a run, for the time of a ``with`` block.

    Args:
        run: The run's folder.
        settings: What is allowed, and what a hang means.
        status: Of the run; written here only where the driver cannot.
    """

    def __init__(self, run: RunFolder, settings: Settings, status: StatusWriter) -> None:
        self.run, self.settings, self.status = run, settings, status
        self.hang: Hang | None = None
        self.watchdog = Watchdog(settings)
        self._tail = StageTail(run.stages)
        self.watchdog.learn(self._tail.poll())
        self._announced: deque[tuple[str, int]] = deque()
        self._warnings: deque[str] = deque()
        self._files = self._changes()
        self._moved = (time.monotonic(), _bytes_of_all())
        self._noticed, self._ended = threading.Event(), threading.Event()
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        if self.settings.minutes is not None:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._ended.set()

    def enter(self, stage: str) -> None:
        """The driver itself does ``stage``; those of the training are read."""
        self._announced.append((stage, 0))

    def poll(self) -> list[str]:
        """Call it several times a second.

        Returns:
            What it has to warn of.

        Raises:
            Hang: The run hangs, and is to be ended for it.
        """
        if self.hang is not None and not self._noticed.is_set():
            self._noticed.set()
            raise self.hang
        return [self._warnings.popleft() for _ in range(len(self._warnings))]

    def _watch(self) -> None:
        warned = False
        while not self._ended.wait(self.settings.look_every):
            silence = self._look()
            if silence is None:
                warned = False
            elif not warned:
                warned, hang = True, self._told(silence)
                if self.settings.on_hang != "warn" and self._look():  # it may have gone on meanwhile
                    self.hang = hang
                    self._see_it_end()
                    return
                self._warnings.append(str(hang))

    def _look(self) -> Silence | None:
        try:
            return self.watchdog.look(self._entered(), self._signs())
        except OSError:  # what cannot be read, on a file system that has a bad moment, tells of no hang
            return self.watchdog.look(sign=True)

    def _entered(self) -> list[tuple[str, int]]:
        driver = [self._announced.popleft() for _ in range(len(self._announced))]
        return driver + [(entry.stage, entry.step) for entry in self._tail.poll()]

    def _signs(self) -> bool:
        before, self._files = self._files, self._changes()
        return self._files != before or (self.watchdog.stage.startswith(MOVING) and self._moves())

    def _changes(self) -> list[tuple[int, int]]:
        found = [path.stat() for path in (self.run.metrics, self.run.signs) if path.exists()]
        return [(file.st_mtime_ns, file.st_size) for file in found]

    def _moves(self) -> bool:
        """Whether a process of the run has read or written much, as one does that loads, downloads or saves."""
        since, before = self._moved
        passed = time.monotonic() - since
        if passed < 2 * self.settings.look_every:
            return False
        now = _bytes_of_all()
        self._moved = (time.monotonic(), now)
        return any(count - before.get(pid, count) > MOVING_RATE * passed for pid, count in now.items())

    def _told(self, silence: Silence) -> Hang:
        folder = self.run.stacks / f"{datetime.now(UTC):%Y%m%d-%H%M%S}"
        message, remedy = silence.message, f"Look at the stacks of all its processes in {RunFolder(folder).shown()}"
        try:
            place = take_stacks(folder)
            (folder / "hang.txt").write_text(f"{message}\n")
        except (OSError, psutil.Error) as error:  # a full disk must not keep the run from being ended
            place, remedy = "", f"Its stacks could not be written: {error}"
        message += f"; it waits at {place}" if place else ""
        remedy += f"; where it was only slow, raise cluster.watchdog.{'factor' if silence.longest else 'minutes'}."
        return Hang(message, remedy, silence.stage, str(self.run.log))

    def _see_it_end(self) -> None:
        """The driver raises what was found; where it hangs itself, it is helped."""
        if not self._main:
            return
        if not self._noticed.wait(NOTICE_SECONDS) and not self._ended.is_set():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        if self._ended.wait(ENDING_SECONDS) or self.hang is None:
            return
        what = f"{self.hang.message}, and its driver could not end it"
        self.status.failed(RunError("Hang", what, self.hang.remedy, self.hang.stage, str(self.run.log)))
        sys.stderr.write(f"harness: watchdog: {what}\n")
        os._exit(1)


def _bytes_of_all() -> dict[int, int]:
    here = psutil.Process()
    return {process.pid: _bytes(process) for process in (here, *here.children(recursive=True))}


def _bytes(process: psutil.Process) -> int:
    """Read and written; what the file system counts and what the process asked for differ by the cache."""
    try:
        counted = process.io_counters()
    except (psutil.Error, OSError):
        return 0
    return max(counted.read_bytes, counted.read_chars) + max(counted.write_bytes, counted.write_chars)
