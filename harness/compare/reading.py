"""Many files, each from the cache where it has not changed, the rest parsed by several processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import yaml

from harness.compare.cache import Cache, Stamp

T = TypeVar("T")
FEW = 8  # for fewer files, starting processes takes longer than they save
MOST_PROCESSES = 4  # a login node is others' too
A_PART = 8
READ_ERRORS = (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError)


@dataclass(frozen=True)
class Reader(Generic[T]):
    """How a kind of file is read.

    Attributes:
        kind: Its name in the cache.
        parse: Reads a file as the bytes that are kept. Runs in another process.
        unpack: What those bytes say.
        beside: The kind of further bytes that ``parse`` gives too, if any; another reader unpacks them.
    """

    kind: str
    parse: Callable[[Path], bytes | tuple[bytes, bytes]]
    unpack: Callable[[memoryview], T]
    beside: str = ""

    def read(self, file: Path, cache: Cache) -> tuple[bytes | Unreadable, bool]:
        """A file's content as it is kept, and whether the cache has it now."""
        try:
            stamp = Stamp.of(file)  # before it is read: a file that grows meanwhile is read again the next time
            content = self.parse(file)
        except READ_ERRORS as error:
            return unreadable(file, error), False
        if isinstance(content, tuple):
            content, further = content
            cache.write(self.beside, file, stamp, further)
        return content, cache.write(self.kind, file, stamp, content)


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read; a comparison goes on without it.

    Attributes:
        why: In plain words, the file's name included.
    """

    why: str


def read_all(files: Sequence[Path], reader: Reader[T], cache: Cache) -> dict[Path, T | Unreadable]:
    """Read every file.

    Args:
        files: The files.
        reader: How.
        cache: Where parsed files are kept.
    """
    found: dict[Path, T | Unreadable] = {}
    for file in files:
        kept = _kept(file, reader, cache)
        if kept is not None:
            found[file] = kept
    missing = [file for file in files if file not in found]
    parsed = _in_processes(partial(_sent, reader, cache), missing)
    for file, content in zip(missing, parsed, strict=True):
        if content is None:
            one = read_one(file, reader, cache)
            found[file] = one
        else:
            found[file] = content if isinstance(content, Unreadable) else reader.unpack(memoryview(content))
    if missing:
        cache.shrink()
    return found


def read_one(file: Path, reader: Reader[T], cache: Cache) -> T | Unreadable:
    """Read a file."""
    kept = _kept(file, reader, cache)
    if kept is not None:
        return kept
    content, _ = reader.read(file, cache)
    return content if isinstance(content, Unreadable) else reader.unpack(memoryview(content))


def unreadable(file: Path, error: Exception) -> Unreadable:
    """Why a file could not be read."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
    return Unreadable(f"{file.name} cannot be read: {said}")


def _kept(file: Path, reader: Reader[T], cache: Cache) -> T | None:
    """What the cache has of a file as it is now."""
    try:
        content = cache.read(reader.kind, file, Stamp.of(file))
    except OSError:
        return None  # parsing it says why
    return reader.unpack(content) if content is not None else None


def _sent(reader: Reader[T], cache: Cache, file: Path) -> bytes | Unreadable | None:
    """Of another process: None for what is read from the cache, since a pipe would take longer."""
    content, is_kept = reader.read(file, cache)
    return None if is_kept else content


def _in_processes(work: Callable[[Path], T], files: Sequence[Path]) -> Iterator[T]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(files) < FEW or cores == 1:
        yield from map(work, files)
        return
    with ProcessPoolExecutor(min(cores, MOST_PROCESSES)) as pool:
        yield from pool.map(work, files, chunksize=A_PART)
