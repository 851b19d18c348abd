"""Append-only files of one JSON object a line, written by one process while others read.

A line is appended in a single write, so that a reader meets whole lines, except for the last one of a process that was
killed in the middle. Such a torn line is skipped by the readers and closed by the next writer.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def encode_line(record: dict[str, Any]) -> bytes:
    """The line of a record, newline included: strict JSON (no NaN), UTF-8, lone surrogates as escapes."""
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    # For a lone surrogate, Python's backslash escape is JSON's own: "\ud800".
    return text.encode("utf-8", "backslashreplace") + b"\n"


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Append one record to ``path`` in a single write, making the file if need be.

    Raises:
        OSError: The line could not be written whole, as on a full disk.
    """
    line = encode_line(record)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = b"\n" + line  # a killed writer left a torn line: end it, so that only that one is lost
        written = os.write(descriptor, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes could be written to {path}: is the disk full?")
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole records of ``path`` in order; an empty list where the file does not exist."""
    return JsonLinesTail(path).poll()


class JsonLinesTail:
    """Reads what was appended since the last time.

    Args:
        path: The file, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.replaced = False  # whether the last poll met another file than the one before
        self._file = -1
        self._offset = 0
        self._rest = b""

    def poll(self) -> list[dict[str, Any]]:
        """The records completed since the last call, oldest first."""
        try:
            with self.path.open("rb") as file:
                now = os.fstat(file.fileno())
                self.replaced = self._file not in (-1, now.st_ino)
                if now.st_ino != self._file or now.st_size < self._offset:
                    self._file, self._offset, self._rest = now.st_ino, 0, b""  # another file: start again
                file.seek(self._offset)
                new = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        return [record for line in lines if (record := _decode(line)) is not None]


def _decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None for an empty or torn one."""
    try:
        record = json.loads(line)
    except ValueError:
        return None  # torn by a kill; the writer that came after it closed the line
    return record if isinstance(record, dict) else None
