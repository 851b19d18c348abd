"""Processes that do not outlive what started them, or its time."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

GRACE_SECONDS = 10.0  # to end by itself after SIGTERM, Ray with it


class TimeOver(Exception):
    """The time was over before the work was done."""


class Deadline:
    """A point in time that several pieces of work share.

    Args:
        seconds: From now on; endless by default.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def require(self) -> None:
        """Go on only while there is time.

        Raises:
            TimeOver: There is none left.
        """
        if not self.left():
            raise TimeOver


@contextmanager
def group(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen]:
    """A process in a group of its own, which ends with the block, however that ends.

    Args:
        command: Its words.
        options: Of `subprocess.Popen`.
    """
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_SECONDS)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def run(command: Sequence[str], deadline: Deadline, **options: Any) -> int:
    """The exit status of a command.

    Raises:
        TimeOver: It was not done in time, and has been ended.
    """
    with group(command, **options) as process:
        return finish(process, deadline)


def output(command: Sequence[str], deadline: Deadline) -> tuple[int, str]:
    """The exit status of a command and its standard output.

    Raises:
        TimeOver: It was not done in time, and has been ended.
    """
    with group(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            said, _ = process.communicate(timeout=deadline.left())
        except subprocess.TimeoutExpired as error:
            raise TimeOver from error
        return process.returncode, said


def finish(process: subprocess.Popen, deadline: Deadline) -> int:
    """Wait for a process's exit status.

    Raises:
        TimeOver: It was not done in time.
    """
    try:
        return process.wait(deadline.left())
    except subprocess.TimeoutExpired as error:
        raise TimeOver from error
