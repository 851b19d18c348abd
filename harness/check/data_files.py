"""The data's files: whether they are there, can be read, have rows, and the column of the prompts."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from harness.check.problem import Problem
from harness.config.suggest import did_you_mean

KEYS = ("data.train_files", "data.val_files")
FORMATS = (".parquet", ".json", ".jsonl")  # what verl reads
PARQUET_LEAST_BYTES = 12  # mark, footer length, mark
READ_WHOLE_BYTES = 32 * 2**20  # a third of a second; of a larger file the first rows are read
FIRST_ROWS = 1000
AGAIN = "Make it again; the copy may be torn."


def data_problems(config: DictConfig, made: Collection[str] = (), whole: bool = False) -> Iterator[Problem]:
    """What is wrong with the files of ``data.train_files`` and ``data.val_files``; those elsewhere are not looked into.

    Args:
        config: A composed configuration.
        made: Folders that a recipe makes, whose files need not be there yet.
        whole: Whether large files are read whole, too: damage may lie anywhere.
    """
    own_reader = bool(OmegaConf.select(config, "data.custom_cls.path", throw_on_missing=False))
    column = None if own_reader else str(OmegaConf.select(config, "data.prompt_key") or "prompt")
    for key in KEYS:
        paths = [Path(file).expanduser() for file in _files(config, key) if not file.startswith(tuple(made))]
        found = [problem for path in paths for problem in _file_problems(key, path, column, whole)]
        yield from found
        if paths and not found and column is not None and all(map(_is_empty, paths)):
            yield Problem(
                "file", key, f"{key}: {', '.join(map(str, paths))} has no rows.", "Make it again, with prompts in it."
            )


def require_data(config: DictConfig, whole: bool = False) -> None:
    """Stop with the first problem of the files, now that recipes have made theirs.

    Raises:
        ConfigurationError: There is one.
    """
    for problem in data_problems(config, whole=whole):
        raise problem.error()


def parquet_rows(path: Path) -> int:
    """Rows of a parquet file; 0 where it is none, or cannot be read."""
    return _read(path, *_identity(path), False)[1] if path.suffix == ".parquet" and path.is_file() else 0


def _files(config: DictConfig, key: str) -> list[str]:
    value: Any = None if OmegaConf.is_missing(config, key) else OmegaConf.select(config, key, throw_on_missing=False)
    files = value if isinstance(value, ListConfig) else [value] if value else []
    return [str(file) for file in files if "://" not in str(file)]


def _file_problems(key: str, path: Path, column: str | None, whole: bool) -> Iterator[Problem]:
    """Of one file; ``column`` is the prompts', None where a class of the user's reads it."""
    if not path.is_file():
        remedy = "Give the path of a parquet file in verl's layout."
        yield Problem("file", key, f"{key}: there is no file {path}.", remedy)
    elif column is not None and path.suffix not in FORMATS:
        yield Problem("file", key, f"{key}: {path} is none of {', '.join(FORMATS)}, which verl reads.",
                      "Convert it, or read it with a class of your own (data.custom_cls).")  # fmt: skip
    elif path.suffix == ".parquet" and not _is_parquet(path):
        yield Problem("file", key, f"{key}: {path} is not a whole parquet file.", AGAIN)
    elif path.suffix == ".parquet":
        columns, _, damage = _read(path, *_identity(path), whole)
        if damage:
            yield Problem("file", key, f"{key}: {path} cannot be read: {damage}", AGAIN)
        elif column is not None and column not in columns:
            yield Problem("file", key, f"{key}: {path} has no column {column} (data.prompt_key).",
                          f"Set data.prompt_key to the column of the prompts. {did_you_mean(column, columns)}".strip(),
                          )  # fmt: skip


def _is_empty(path: Path) -> bool:
    return not (parquet_rows(path) if path.suffix == ".parquet" else path.stat().st_size)


def _is_parquet(path: Path) -> bool:
    """Whether the file begins and ends as parquet does: with its mark, and a footer's length before the last one."""
    size = path.stat().st_size
    if size < PARQUET_LEAST_BYTES:
        return False
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(-8, os.SEEK_END)
        footer, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    return head == tail == b"PAR1" and 0 < footer <= size - PARQUET_LEAST_BYTES


def _identity(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_size, about.st_mtime_ns


@lru_cache(maxsize=256)  # the points of a sweep share their files
def _read(path: Path, size: int, _modified: int, whole: bool) -> tuple[tuple[str, ...], int, str]:
    """A parquet file's columns and rows, and what is wrong with its pages; empty where nothing is."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            columns, rows = tuple(file.schema_arrow.names), file.metadata.num_rows
            for _ in file.iter_batches(batch_size=FIRST_ROWS):
                if size > READ_WHOLE_BYTES and not whole:
                    break
        return columns, rows, ""
    except (OSError, pyarrow.ArrowException) as error:
        said = "".join(letter if letter.isprintable() else " " for letter in str(error))
        return (), 0, " ".join(said.split()) or type(error).__name__
