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
        cached: What the cache has of a file; None where it has not got it.
        load: Reads the file, and keeps what it says in the cache. Runs in another process.
    """

    cached: Callable[[Path, Stamp, Cache], T | None]
    load: Callable[[Path, Cache], T]


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
        try:
            kept = reader.cached(file, Stamp.of(file), cache)
        except OSError:
            continue  # loading it says why
        if kept is not None:
            found[file] = kept
    missing = [file for file in files if file not in found]
    found.update(zip(missing, _in_processes(partial(read_one, reader, cache), missing), strict=True))
    if missing:
        cache.shrink()
    return found


def read_one(reader: Reader[T], cache: Cache, file: Path) -> T | Unreadable:
    """Read a file."""
    try:
        return reader.load(file, cache)
    except READ_ERRORS as error:
        return unreadable(file, error)


def unreadable(file: Path, error: Exception) -> Unreadable:
    """Why a file could not be read."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error).partition("\n")[0]
    return Unreadable(f"{file.name} cannot be read: {said}")


def _in_processes(work: Callable[[Path], T], files: Sequence[Path]) -> Iterator[T]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if len(files) < FEW or cores == 1:
        yield from map(work, files)
        return
    with ProcessPoolExecutor(min(cores, MOST_PROCESSES)) as pool:
        yield from pool.map(work, files, chunksize=A_PART)
