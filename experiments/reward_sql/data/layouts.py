"""Where BIRD and Spider keep their questions and databases, under the names their archives give them.

BIRD: ``train.json`` beside ``train_databases/``, and ``dev.json`` (or mini-dev's ``mini_dev_sqlite.json``) beside
``dev_databases/``; https://bird-bench.github.io. Spider: ``train_spider.json``, ``train_others.json`` and ``dev.json``
beside ``database/``, ``test.json`` beside ``test_database/``; https://yale-lily.github.io/spider. Both keep a database
at ``<db_id>/<db_id>.sqlite``; their folder may be called ``databases`` in either. The schema is read from the
databases themselves, so ``tables.json`` is not needed.
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

PLAIN = "databases"  # the folder of databases in every layout, where the archive's own is not there
MACOS = "__MACOSX"
SPACE = re.compile(r"\s*")
NEAR = 30  # characters shown on either side of where JSON breaks


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
    names = (*layout.databases, PLAIN)
    for name in names:
        for path in _places(folder, name):
            if path.is_dir():
                return path
    raise ConfigurationError(
        f"{folder} holds no folder {' or '.join(names)}.",
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
    """A file's list. Bytes that are no UTF-8 become halves of pairs, which `WRONG` finds in their entries.

    Raises:
        ConfigurationError: It is no JSON, or no list with an entry.
    """
    text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        whole, near = whole_entries(text), text[max(0, error.pos - NEAR) : error.pos + NEAR]
        raise ConfigurationError(
            f"{path} is broken JSON in line {error.lineno}, column {error.colno}, after {whole} whole entries, the "
            f"last of which is number {whole - 1} from 0: {error.msg} near {near!a}."
            if whole
            else f"{path} is broken JSON in line {error.lineno}, column {error.colno}, in its first entry: "
            f"{error.msg} near {near!a}.",
            "Download it again, or mend it there.",
        ) from error
    if not isinstance(content, list):
        raise ConfigurationError(f"{path} holds no list of questions but a {type(content).__name__}.")
    if not content:
        raise ConfigurationError(f"{path} holds an empty list.", "Download it again, or name another folder.")
    return content


def whole_entries(text: str) -> int:
    """How many entries of a broken list can be read before the one that cannot."""
    decoder, count = json.JSONDecoder(), 0
    place = text.find("[") + 1
    while place:
        try:
            _, end = decoder.raw_decode(text, _after_space(text, place))
        except json.JSONDecodeError:
            break
        count += 1
        place = _after_space(text, end)
        if text[place : place + 1] != ",":
            break
        place += 1
    return count


def text_of(content: Mapping[str, Any], key: str) -> str:
    """A text of an entry, stripped; "" where there is none."""
    value = content.get(key)
    return value.strip() if isinstance(value, str) else ""


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in _places(folder, name) if path.is_file()), None)


def _places(folder: Path, name: str) -> list[Path]:
    """Where a name may lie: in the folder, or in one in there that is not an archive's of what macOS adds."""
    return [folder / name, *(path for path in sorted(folder.glob(f"*/{name}")) if path.parent.name != MACOS)]


def _after_space(text: str, place: int) -> int:
    found = SPACE.match(text, place)
    return found.end() if found else place
