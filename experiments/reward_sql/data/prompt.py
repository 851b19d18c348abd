"""The prompt: a database's tables in words of SQL, and the question; cut to a length by a rule.

What is over the length is dropped in this order: example values; then whole tables, the ones that share the fewest
words with the question and the evidence first, of those with equally many the last. A comment says how many tables are
left out. The gold SQL is not looked at. What does not fit with a single table is an error of its row.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from string import Formatter

from harness.errors import ConfigurationError

STYLES = ("compact", "ddl")
FIELDS = ("schema", "question", "evidence")
BRACES = f"It may name {', '.join(f'{{{name}}}' for name in FIELDS)}; other braces are written twice."
EXAMPLE_CHARACTERS = 40
Messages = list[dict[str, str]]


class PromptTooLong(Exception):
    """A prompt is over the length with a single table."""


@dataclass
class Cuts:
    """What became of a split's prompts.

    Attributes:
        too_long: How many are over the length with a single table.
        example: What is told of the first of them.
        shortened: How many have lost tables.
        tables: How many tables they have lost together.
    """

    too_long: int = 0
    example: str = ""
    shortened: int = 0
    tables: int = 0

    def count(self, dropped: int) -> None:
        """Count a prompt by how many tables it has lost."""
        self.shortened += dropped > 0
        self.tables += dropped

    def leave_out(self, problem: PromptTooLong) -> None:
        """Count a prompt that is too long."""
        self.too_long += 1
        self.example = self.example or str(problem)

    def line(self, prompts: int) -> str:
        """How many prompts have lost tables; "" where none has."""
        told = f"{self.shortened} of {prompts} prompts have lost tables to prepare.data.max_prompt_length"
        return f"{told}, {self.tables} together" if self.shortened else ""


@dataclass(frozen=True)
class TableInfo:
    """A table of a database.

    Attributes:
        name: Its name.
        columns: Name and type of each column.
        keys: The columns of its primary key.
        references: Column → (table, column) for each foreign key of one column.
        examples: Column → a few of its values, as SQL.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    keys: tuple[str, ...]
    references: dict[str, tuple[str, str]] = field(default_factory=dict)
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class PromptForm:
    """How prompts are written.

    Attributes:
        system: The system message; None leaves it to the chat template.
        prompt: The user's message; may name ``{schema}``, ``{question}`` and ``{evidence}``.
        style: ``compact`` (a line a table) or ``ddl`` (CREATE TABLE with types, keys and example values).
        longest: Length that a prompt may have.
        length: Measures the messages.

    Raises:
        ConfigurationError: The prompt does not name ``{question}``, or names what there is not.
    """

    system: str | None
    prompt: str
    style: str
    longest: int
    length: Callable[[Messages], int]

    def __post_init__(self) -> None:
        try:
            named = {name for _, name, _, _ in Formatter().parse(self.prompt) if name is not None}
        except ValueError as error:
            raise ConfigurationError(f"prepare.data.prompt={self.prompt!r}: {error}.", BRACES) from error
        if unknown := sorted(named - {*FIELDS}):
            raise ConfigurationError(
                f"prepare.data.prompt={self.prompt!r} names {{{unknown[0]}}}, which is nothing.", BRACES
            )
        if "question" not in named:
            raise ConfigurationError(
                f"prepare.data.prompt={self.prompt!r} does not show the question.", "Put {question} where it belongs."
            )

    def write(self, tables: Sequence[TableInfo], question: str, evidence: str = "") -> tuple[Messages, int]:
        """The messages, and how many tables are left out.

        Raises:
            PromptTooLong: It is too long with a single table.
        """
        kept = list(tables)
        examples = self.style == "ddl"
        while True:
            messages = self._messages(kept, len(tables) - len(kept), question, evidence, examples)
            length = self.length(messages)
            if length <= self.longest:
                return messages, len(tables) - len(kept)
            if examples:
                examples = False
            elif len(kept) > 1:
                kept.remove(least_mentioned(kept, f"{question} {evidence}"))
            else:
                raise PromptTooLong(f"the prompt has a length of {length} with a single table, {self.longest} allowed")

    def _messages(
        self, tables: list[TableInfo], dropped: int, question: str, evidence: str, examples: bool
    ) -> Messages:
        lines = [compact(table) if self.style == "compact" else ddl(table, examples) for table in tables]
        if dropped:
            lines.append(f"-- {dropped} more tables")
        text = self.prompt.format(schema="\n".join(lines), question=question, evidence=evidence)
        text = re.sub(r"\n{3,}", "\n\n", text).strip()  # where there is no evidence
        opening = [] if self.system is None else [{"role": "system", "content": self.system}]
        return [*opening, {"role": "user", "content": text}]


def read_schema(path: Path, examples: int = 0) -> list[TableInfo]:
    """The tables of a database, in the order in which they were made.

    Args:
        path: Its file.
        examples: Different values of each column to read.

    Raises:
        sqlite3.Error: It cannot be read.
    """
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    connection.text_factory = lambda raw: raw.decode(errors="replace")
    try:
        find = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        return _with_targets([_table(connection, name, examples) for (name,) in connection.execute(find).fetchall()])
    finally:
        connection.close()


def compact(table: TableInfo) -> str:
    """A table as a line, such as ``books(book_id, title, author_id=authors.author_id)``."""
    words = [
        f"{quoted(name)}={quoted(table.references[name][0])}.{quoted(table.references[name][1])}"
        if name in table.references
        else quoted(name)
        for name, _ in table.columns
    ]
    return f"{quoted(table.name)}({', '.join(words)})"


def ddl(table: TableInfo, examples: bool) -> str:
    """A table as CREATE TABLE, with example values as comments."""
    lines = []
    for name, kind in table.columns:
        values = table.examples.get(name, ()) if examples else ()
        comment = f" -- such as {', '.join(values)}" if values else ""
        lines.append((f"  {quoted(name)} {kind}".rstrip(), comment))
    if table.keys:
        lines.append((f"  PRIMARY KEY ({', '.join(map(quoted, table.keys))})", ""))
    for column, (other, target) in table.references.items():
        lines.append((f"  FOREIGN KEY ({quoted(column)}) REFERENCES {quoted(other)} ({quoted(target)})", ""))
    texts = [text + ("," if text != lines[-1][0] else "") + comment for text, comment in lines]
    return f"CREATE TABLE {quoted(table.name)} (\n" + "\n".join(texts) + "\n);"


def least_mentioned(tables: Sequence[TableInfo], text: str) -> TableInfo:
    """The table whose names share the fewest words with a text; the last one of several."""
    words = _words(text)
    return min(reversed(tables), key=lambda table: len(words & _words(" ".join([table.name, *dict(table.columns)]))))


def quoted(name: str) -> str:
    """A name as SQL needs it."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else "`" + name.replace("`", "``") + "`"


def _words(text: str) -> set[str]:
    parts = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())
    return {part.removesuffix("s") for part in parts if len(part) > 2}


def _table(connection: sqlite3.Connection, name: str, examples: int) -> TableInfo:
    literal = name.replace("'", "''")
    columns = connection.execute(f"SELECT name, type, pk FROM pragma_table_info('{literal}')").fetchall()
    rows = connection.execute(f"SELECT * FROM pragma_foreign_key_list('{literal}')").fetchall()
    single = [row for row in rows if sum(other[0] == row[0] for other in rows) == 1]
    known = {column: (table, target or "") for _, _, table, column, target, *_ in single}
    shown = {column: _examples(connection, name, column, examples) for column, _, _ in columns} if examples else {}
    keys = [column for column, _, place in sorted(columns, key=lambda row: row[2]) if place]
    return TableInfo(name, tuple((c, kind) for c, kind, _ in columns), tuple(keys), known, shown)


def _with_targets(tables: list[TableInfo]) -> list[TableInfo]:
    """The same with the other table's key where a reference names no column."""
    keys = {table.name.lower(): table.keys for table in tables}

    def target(table: str, column: str) -> tuple[str, str]:
        other = keys.get(table.lower(), ())
        return (table, column or (other[0] if len(other) == 1 else "rowid"))

    return [
        replace(table, references={name: target(*other) for name, other in table.references.items()})
        for table in tables
    ]


def _examples(connection: sqlite3.Connection, table: str, column: str, count: int) -> tuple[str, ...]:
    """A few values, from the first rows, as looking for others may take long."""
    table, column = (f'"{name.replace(chr(34), chr(34) * 2)}"' for name in (table, column))
    inner = f"SELECT {column} AS v FROM {table} LIMIT 100"
    find = f"SELECT DISTINCT quote(v) FROM ({inner}) WHERE v IS NOT NULL AND typeof(v) != 'blob' LIMIT {count}"
    found = [str(value) for (value,) in connection.execute(find)]
    return tuple(value if len(value) <= EXAMPLE_CHARACTERS else f"{value[:EXAMPLE_CHARACTERS]}…'" for value in found)
