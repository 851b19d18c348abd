"""Where the output of a run goes: to its log, or to the terminal with a copy in the log."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console


@contextlib.contextmanager
def output_to(log: Path) -> Iterator[tuple[Console, Console]]:
    """Send this process's output and its children's to the log; the consoles still reach the user.

    File descriptors are exchanged, not ``sys.stdout``: Ray and C++ libraries write to the descriptors.
    """
    sys.stdout.flush(), sys.stderr.flush()
    saved = os.dup(1), os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    streams = [os.fdopen(os.dup(descriptor), "w", buffering=1) for descriptor in saved]
    try:
        os.dup2(target, 1), os.dup2(target, 2)
        yield Console(file=streams[0]), Console(file=streams[1])
    finally:
        _empty(sys.stdout, 1)
        _empty(sys.stderr, 2)
        os.dup2(saved[0], 1), os.dup2(saved[1], 2)
        for descriptor in (*saved, target):
            os.close(descriptor)
        for stream in streams:
            stream.close()


def _empty(stream: TextIO, descriptor: int) -> None:
    """Write out what is buffered; what a full disk refuses is dropped, so that it does not come on the terminal."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
        stream.flush()


class _Both(io.TextIOBase):
    """Writes to a stream and to a log."""

    def __init__(self, stream: TextIO, log: TextIO) -> None:
        self.stream, self.log = stream, log

    def write(self, text: str) -> int:
        self.log.write(text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.log.flush(), self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return self.stream.isatty()


@contextlib.contextmanager
def copied_to(log: Path) -> Iterator[tuple[Console, Console]]:
    """Leave the terminal to this process, with a copy in the log of what Python writes, Ray's workers included."""
    out, err = sys.stdout, sys.stderr
    with log.open("a", buffering=1) as file:
        sys.stdout, sys.stderr = _Both(out, file), _Both(err, file)
        try:
            yield Console(file=out), Console(file=err)
        finally:
            sys.stdout, sys.stderr = out, err
