"""Where BIRD and Spider keep their questions and databases, under the names their archives give them.

BIRD: ``train.json`` beside ``train_databases/``, and ``dev.json`` (or mini-dev's ``mini_dev_sqlite.json``) beside
``dev_databases/``; https://bird-bench.github.io. Spider: ``train_spider.json``, ``train_others.json`` and ``dev.json``
beside ``database/``, ``test.json`` beside ``test_database/``; https://yale-lily.github.io/spider. Both keep a database
at ``<db_id>/<db_id>.sqlite``. The schema is read from the databases themselves, so ``tables.json`` is not needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError

# What a text holds that was read in a wrong encoding: a replacement mark, a half of a pair, control characters.
WRONG = re.compile("[\ufffd\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f]")


@dataclass(frozen=True)
class Layout:
    """Where a part of a benchmark lies in its folder, or in folders in there.

    Attributes:
        files: Names of the questions' files; the first that is there, or all of them.
        databases: Names of the folder of databases; the first that is there.
        sql: The key of the gold SQL in the questions' entries.
        together: Whether all of the files that are there belong to it.
    """

    files: tuple[str, ...]
    databases: tuple[str, ...]
    sql: str
    together: bool = False


BIRD = {  # its test set is not public
    "train": Layout(("train.json",), ("train_databases",), "SQL"),
    "validation": Layout(("dev.json", "mini_dev_sqlite.json"), ("dev_databases",), "SQL"),
}
SPIDER = {
    "train": Layout(("train_spider.json", "train_others.json"), ("database",), "query", together=True),
    "validation": Layout(("dev.json",), ("database",), "query"),
    "test": Layout(("test.json",), ("test_database",), "query"),
}
BENCHMARKS = {"bird": BIRD, "spider": SPIDER}


@dataclass(frozen=True)
class Entry:
    """An entry of a questions' file, as it is, with where it stands."""

    file: str
    place: int
    content: Any


def find_databases(layout: Layout, folder: Path) -> Path:
    """The folder of databases of a part of a benchmark.

    Raises:
        ConfigurationError: There is none.
    """
    for name in layout.databases:
        for path in (folder / name, *sorted(folder.glob(f"*/{name}"))):
            if path.is_dir():
                return path
    raise ConfigurationError(
        f"{folder} holds no folder {' or '.join(layout.databases)}.",
        "Unpack the benchmark's archive of databases there, or name the folder that holds it.",
    )


def read_entries(layout: Layout, folder: Path) -> list[Entry]:
    """All entries of a part of a benchmark.

    Raises:
        ConfigurationError: Its files are not there, or cannot be read as JSON.
    """
    found = [path for name in layout.files if (path := _find(folder, name))]
    if not found:
        raise ConfigurationError(
            f"{folder} holds no {' or '.join(layout.files)}.", "Name the folder that the benchmark was unpacked to."
        )
    files = found if layout.together else found[:1]
    return [Entry(path.name, place, content) for path in files for place, content in enumerate(read_json(path))]


def read_json(path: Path) -> Sequence[Any]:
    """A file's list.

    Raises:
        ConfigurationError: It is no UTF-8, no JSON or no list.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8: byte {error.start} is {error.object[error.start]:#04x}.", "Convert it to UTF-8."
        ) from error
    except json.JSONDecodeError as error:
        raise ConfigurationError(
            f"{path} is broken JSON: {error.msg} in line {error.lineno}, column {error.colno}.", "Download it again."
        ) from error
    if not isinstance(content, list):
        raise ConfigurationError(f"{path} holds no list of questions but a {type(content).__name__}.")
    return content


def text_of(content: Mapping[str, Any], key: str) -> str:
    """A text of an entry, stripped; "" where there is none."""
    value = content.get(key)
    return value.strip() if isinstance(value, str) else ""


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, *sorted(folder.glob(f"*/{name}"))) if path.is_file()), None)
