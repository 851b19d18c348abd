"""What a query may take, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["ok", "syntax", "schema", "forbidden", "complex", "timeout", "limit", "crashed"]


@dataclass(frozen=True)
class Limits:
    """What one query may take.

    Attributes:
        seconds: Time after which a query is interrupted.
        grace: Seconds after that in which it must have stopped; a worker that has not is killed. Some single calls of
            SQLite, such as LIKE on a long text, cannot be interrupted.
        rows: Rows of a result.
        bytes: Bytes of a result: the length of its texts and blobs, and 8 for every other value.
        value_bytes: Bytes of one text, blob or row, in between as well.
        memory_mb: Memory that SQLite may take, in MiB; the worker's address space is limited beyond that.
        sql_bytes: Length of the query.
    """

    seconds: float = 5.0
    grace: float = 0.5
    rows: int = 100_000
    bytes: int = 16 * 2**20
    value_bytes: int = 2**20
    memory_mb: int = 256
    sql_bytes: int = 20_000


@dataclass(frozen=True)
class Result:
    """What came of a query.

    Attributes:
        columns: Names of its columns.
        rows: Its rows; None, int, float, str and bytes. Empty if it failed.
        error: Why it failed; "" if it did not.
        kind: ``ok``; ``syntax``: it is no SQL; ``schema``: it does not fit the database (no such table, column or
            function, an ambiguous name, a value that a function refuses); ``forbidden``: it would do more than read;
            ``complex``: it is too long or has too many parts to be compiled; ``timeout``; ``limit``: too many rows or
            bytes, or too much memory; ``crashed``: its process died twice, or the database cannot be read.
        seconds: Time it took.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    error: str
    kind: Kind
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the query ran to its end."""
        return self.kind == "ok"


def failure(kind: Kind, error: str, seconds: float = 0.0) -> Result:
    """A result without rows."""
    return Result((), (), error, kind, seconds)
