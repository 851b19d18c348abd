"""Rows that cannot be trained on: counted, reported by row, and an error or left out, before a training starts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.data.convert import Account
from harness.errors import ConfigurationError

SHOWN = 5
ACTIONS = ("error", "drop")


@dataclass(frozen=True)
class BadRow:
    """A row with what is wrong with it.

    Attributes:
        file: The file that it comes from.
        row: Its position there, from 0.
        db_id: Its database, if it names one.
        problem: ``entry``, ``encoding``, ``database``, ``sql`` or ``length``.
        detail: What exactly.
    """

    file: str
    row: int
    db_id: str
    problem: str
    detail: str


WORDS = {
    "entry": "not an entry with a question, a database and SQL",
    "encoding": "text in a wrong encoding",
    "database": "a database that is missing or cannot be read",
    "sql": "gold SQL that fails",
    "length": "a prompt over the limit",
}


def account_of(entries: int, kept: int, bad: Sequence[BadRow], split: str, folder: str) -> Account:
    """What became of a split's entries, for ``source.json``.

    Args:
        entries: How many there were.
        kept: How many are used.
        bad: Those that are not.
        split: The split's name.
        folder: Where it comes from.

    Raises:
        ConfigurationError: None is used.
    """
    if not kept:
        raise ConfigurationError(
            f"prepare.data: no row of {folder} can be used for {split}; {len(bad)} of {entries} are left out:\n"
            + listed(bad),
            "Mend these rows, or name another folder.",
        )
    account = Account(entries, kept)
    for row in bad:
        account.leave_out(row.row, WORDS[row.problem])
    return account


def settle(bad: list[BadRow], total: int, action: str, report: Path) -> None:
    """Write the report of bad rows, and raise if they are not to be dropped.

    Args:
        bad: The rows.
        total: Of how many.
        action: ``error`` or ``drop``.
        report: File to write, a row a line; written without rows as well.

    Raises:
        ConfigurationError: There are bad rows and they are an error.
    """
    write_report(bad, report)
    if not bad or action == "drop":
        return
    raise ConfigurationError(
        f"{len(bad)} of {total} rows of the data set cannot be trained on:\n{listed(bad)}",
        f"All are in {report}. Mend them, or leave them out: prepare.data.bad_rows=drop.",
    )


def write_report(bad: Sequence[BadRow], report: Path) -> None:
    """Write all rows as JSON, one a line."""
    report.write_text("".join(json.dumps(asdict(row), ensure_ascii=True) + "\n" for row in bad))


def listed(bad: Sequence[BadRow]) -> str:
    """How many rows have which problem, and the first of them."""
    counts = Counter(row.problem for row in bad)
    lines = [f"    {counts[problem]} with {WORDS[problem]}" for problem in WORDS if counts[problem]]
    lines += [f"    {row.file}[{row.row}] ({row.db_id or 'no database'}): {row.detail}" for row in bad[:SHOWN]]
    return "\n".join(lines)
