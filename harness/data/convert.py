"""From a published data set's rows to the columns that verl reads, with an account of what was left out and why."""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.hub import published_files, read_rows
from harness.data.parquet import Row, make_row, write_stream
from harness.errors import ConfigurationError

logger = logging.getLogger(__name__)
SHOWN = 5  # rows named for each reason

Fields = dict[str, Any]
Convert = Callable[[Mapping[str, Any]], Fields]


class LeftOut(Exception):
    """A row that is not used; the reason is its text, the same for all rows of its kind."""


@dataclass
class Account:
    """What became of a split's rows.

    Attributes:
        read: How many there were.
        kept: How many are used.
        left_out: Reason → how many were not.
        examples: Reason → the numbers of the first of them, from 0.
    """

    read: int = 0
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    examples: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def leave_out(self, number: int, reason: str) -> None:
        """Count a row that is not used."""
        self.left_out[reason] += 1
        if self.left_out[reason] <= SHOWN:
            self.examples[reason].append(number)

    def lines(self) -> Iterator[str]:
        """For each reason how many rows and which."""
        for reason, count in sorted(self.left_out.items()):
            rows = ", ".join(map(str, self.examples[reason])) + (", …" if count > SHOWN else "")
            yield f"{count} of {self.read} rows left out: {reason} (rows {rows})"


def make_published(
    path: Path,
    source: str,
    files: Mapping[str, str],
    sizes: Mapping[str, int | None],
    convert: Convert,
    revision: str | None = None,
) -> None:
    """Write ``<split>.parquet`` for each split, and ``source.json`` with where it came from and what was left out.

    Args:
        path: Empty folder to fill.
        source: A folder, or a data set's name on the hub.
        files: Split → its files, as a path with ``*``.
        sizes: Split → rows at most, the first ones; None for all.
        convert: A row of the source → arguments of `harness.data.parquet.make_row`. It raises `LeftOut`.
        revision: A commit of the hub's repository.

    Raises:
        HarnessError: The source cannot be had or read, or no row of a split can be used.
    """
    found, commit = published_files(source, files, revision)
    accounts = {}
    for split, paths in found.items():
        accounts[split] = write_split(path, split, read_rows(paths), sizes.get(split), convert, source)
    write_account(path, {"source": source, "revision": commit or revision}, accounts)


def write_split(
    path: Path, split: str, rows: Iterable[Mapping[str, Any]], size: int | None, convert: Convert, source: str
) -> Account:
    """Convert and write one split; see `make_published`."""
    account = Account()
    write_stream(path / f"{split}.parquet", _converted(rows, split, size, convert, account))
    for line in account.lines():
        logger.warning("data from %s, %s: %s", source, split, line)
    if not account.kept:
        raise ConfigurationError(
            f"prepare.data: no row of {source} can be used for {split}. " + " ".join(account.lines()),
            f"Look at prepare.data.source and prepare.data.{split}.",
        )
    return account


def write_account(path: Path, origin: Mapping[str, Any], accounts: Mapping[str, Account]) -> None:
    """Keep beside the data where it is from and what was left out."""
    told = {
        split: {"read": each.read, "kept": each.kept, "left_out": dict(each.left_out)}
        for split, each in accounts.items()
    }
    (path / "source.json").write_text(json.dumps({**origin, "splits": told}, indent=2, ensure_ascii=False) + "\n")


def left_out(path: Path) -> list[str]:
    """What a data set's folder tells of rows that were left out, a line for each split and reason, and its notes."""
    try:
        told = json.loads((path / "source.json").read_text())
        splits, notes = told.get("splits", {}), told.get("notes", [])
    except (OSError, ValueError):
        return []  # not a folder of this module
    lines = [
        f"{split}: {count} of {account['read']} rows left out: {reason}"
        for split, account in splits.items()
        for reason, count in account["left_out"].items()
    ]
    return [*notes, *lines]


def text(row: Mapping[str, Any], column: str) -> str:
    """A column's text.

    Raises:
        LeftOut: It has none.
    """
    value = row.get(column)
    if not isinstance(value, str) or not value.strip():
        raise LeftOut(f"no text in column {column}")
    return value.strip()


def chat(system: str | None, prompt: str, field: str, value: str) -> list[dict[str, str]]:
    """The prompt as a chat, with ``{field}`` filled in; other braces of the prompt stay as they are.

    Raises:
        ConfigurationError: The prompt does not show the field.
    """
    if f"{{{field}}}" not in prompt:
        raise ConfigurationError(
            f"prepare.data.prompt={prompt!r} does not show the task.", f"Put {{{field}}} where it belongs."
        )
    opening = [] if system is None else [{"role": "system", "content": system}]
    return [*opening, {"role": "user", "content": prompt.replace(f"{{{field}}}", value)}]


def verl_fields(row: Mapping[str, Any]) -> Fields:
    """A row that is in verl's columns already, held against what verl and the reward functions need.

    Raises:
        LeftOut: It lacks something.
    """
    messages = row.get("prompt")
    if not isinstance(messages, list) or not messages or not all(_is_message(message) for message in messages):
        raise LeftOut("column prompt is no chat of role and content")
    reward = row.get("reward_model")
    truth = reward.get("ground_truth") if isinstance(reward, Mapping) else None
    if not isinstance(truth, str) or not truth.strip():
        raise LeftOut("no text in reward_model.ground_truth")
    messages = [{"role": message["role"], "content": message["content"]} for message in messages]
    return {
        "source": text(row, "data_source"),
        "messages": messages,
        "ability": str(row.get("ability") or "math").lower(),
        "ground_truth": truth.strip(),
    }


def _is_message(message: Any) -> bool:
    return isinstance(message, Mapping) and all(isinstance(message.get(key), str) for key in ("role", "content"))


def _converted(
    rows: Iterable[Mapping[str, Any]], split: str, size: int | None, convert: Convert, account: Account
) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if size is not None and account.kept >= size:
            return
        account.read += 1
        try:
            fields = convert(row)
        except LeftOut as reason:
            account.leave_out(number, str(reason))
            continue
        yield make_row(index=account.kept, split=split, **fields)
        account.kept += 1
