"""Makes a data set of BIRD or Spider from their own files, and looks at every row before anything is trained.

    prepare.data: {_target_: experiments.reward_sql.data.benchmarks.make_benchmark, benchmark: bird, train: …, dev: …}

Databases are linked by their names, not copied; two sets may share a name where its file is the same. Each gold query
is run once, within the limits that a model's queries have.
"""

from __future__ import annotations

import filecmp
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from experiments.reward_sql.data.layouts import (
    BENCHMARKS,
    WRONG,
    Entry,
    Layout,
    find_databases,
    read_entries,
    text_of,
)
from experiments.reward_sql.data.length import length_of
from experiments.reward_sql.data.problems import ACTIONS, BadRow, account_of, settle
from experiments.reward_sql.data.prompt import STYLES, Cuts, PromptForm, PromptTooLong, TableInfo, read_schema
from experiments.reward_sql.data.rows import sql_row
from experiments.reward_sql.execution import Limits, SqlExecutor
from harness.data import Folder
from harness.data.convert import write_account
from harness.data.parquet import Row, write_splits
from harness.errors import ConfigurationError

EXAMPLES = 3  # values of a column that a prompt shows


def make_benchmark(
    path: Path,
    *,
    benchmark: str,
    train: Folder,
    dev: Folder,
    test: Folder | None = None,
    train_size: int | None = None,
    dev_size: int | None = None,
    system: str | None = None,
    prompt: str = "{schema}\n\n{evidence}\n\n{question}",
    style: str = "ddl",
    max_prompt_length: int = 8192,
    tokenizer: str | None = None,
    bad_rows: str = "error",
    seconds: float = 30.0,
    processes: int = 2,
) -> None:
    """Write ``train.parquet``, ``validation.parquet`` (the dev set) and maybe ``test.parquet``, beside ``databases/``.

    ``source.json`` has how many rows of each split were left out and why, ``bad_rows.jsonl`` which.

    Args:
        path: Empty folder to fill.
        benchmark: ``bird`` or ``spider``.
        train: Folder of the train set, such as one with ``train.json`` and ``train_databases``.
        dev: Folder of the dev set.
        test: Folder of the test set, which only Spider has.
        train_size: Rows to take of the train set, the first ones; None for all.
        dev_size: The same of the dev set.
        system: System message; None leaves it to the model's chat template.
        prompt: The user's message; may name ``{schema}``, ``{evidence}`` and ``{question}``.
        style: How a schema is written, ``ddl`` or ``compact``.
        max_prompt_length: Tokens that a prompt may have; longer ones lose tables, as `prompt` says.
        tokenizer: Model folder or hub name to count tokens with; None estimates.
        bad_rows: ``error`` or ``drop``; both write ``bad_rows.jsonl``.
        seconds: Time that a gold query may take.
        processes: Processes that run gold queries.

    Raises:
        ConfigurationError: A file is missing or broken, a parameter has a wrong value, rows cannot be trained on and
            are an error, or nothing of a split is left.
    """
    for key, value, allowed in (
        ("benchmark", benchmark, BENCHMARKS),
        ("bad_rows", bad_rows, ACTIONS),
        ("style", style, STYLES),
    ):
        if value not in allowed:
            raise ConfigurationError(f"prepare.data.{key}={value!r} is not one of {', '.join(allowed)}.")
    layouts = BENCHMARKS[benchmark]
    if test and "test" not in layouts:
        raise ConfigurationError(f"prepare.data.test={test}: {benchmark} has no public test set.")
    form = PromptForm(system, prompt, style, max_prompt_length, length_of(tokenizer))
    databases = path / "databases"
    databases.mkdir()
    splits: dict[str, list[Row]] = {}
    bad: list[BadRow] = []
    notes: list[str] = []
    found: dict[str, tuple[int, list[BadRow], str]] = {}
    sizes = {"train": train_size, "validation": dev_size}
    for split, folder in {"train": train, "validation": dev, "test": test}.items():
        if folder is None:
            continue
        layout, place = layouts[split], Path(folder).expanduser()
        entries = read_entries(layout, place)[: sizes.get(split)]
        wrong: list[BadRow] = []
        writer = _Writer(benchmark, split, layout, find_databases(layout, place), databases, form)
        sound = list(writer.sound(entries, wrong))
        with SqlExecutor(databases, limits=Limits(seconds=seconds), processes=processes) as executor:
            splits[split] = list(writer.rows(sound, executor, wrong))
        found[split] = (len(entries), sorted(wrong, key=lambda row: (row.file, row.row)), str(place))
        bad += found[split][1]
        if line := writer.cuts.line(len(splits[split])):
            notes.append(f"{split}: {line}")
    settle(bad, sum(count for count, _, _ in found.values()), bad_rows, path / "bad_rows.jsonl")
    accounts = {
        split: account_of(count, len(splits[split]), wrong, split, folder)
        for split, (count, wrong, folder) in found.items()
    }
    write_splits(path, splits)
    write_account(path, {"source": benchmark, "bad_rows": "bad_rows.jsonl", "notes": notes}, accounts)


class _Writer:
    """Makes the rows of a split, and puts those aside that cannot be used."""

    def __init__(
        self, source: str, split: str, layout: Layout, originals: Path, databases: Path, form: PromptForm
    ) -> None:
        self.source = source
        self.split = split
        self.layout = layout
        self.originals = originals
        self.databases = databases
        self.form = form
        self.cuts = Cuts()
        self.schemas: dict[str, list[TableInfo] | str] = {}

    def sound(self, entries: list[Entry], bad: list[BadRow]) -> Iterator[Entry]:
        """Entries with all they need and a database that can be read."""
        for entry in entries:
            problem = self._problem(entry)
            if problem is None:
                yield entry
            else:
                bad.append(_bad(entry, *problem))

    def rows(self, entries: list[Entry], executor: SqlExecutor, bad: list[BadRow]) -> Iterator[Row]:
        """Rows of the entries whose SQL runs and whose prompt fits."""
        queries = [(entry.content["db_id"], self._sql(entry)) for entry in entries]
        results = [(result.kind, result.error) for result in executor.execute_many(queries)]
        index = 0
        for entry, (kind, error) in zip(entries, results, strict=True):
            if kind != "ok":
                bad.append(_bad(entry, "sql", f"{kind}: {error}"))
                continue
            try:
                row = self._row(entry, index)
            except PromptTooLong as problem:
                bad.append(_bad(entry, "length", str(problem)))
                continue
            index += 1
            yield row

    def _problem(self, entry: Entry) -> tuple[str, str] | None:
        content = entry.content
        if not isinstance(content, dict):
            return "entry", f"a {type(content).__name__} instead of an object"
        for key in ("question", "db_id", self.layout.sql):
            if not text_of(content, key):
                return "entry", f"there is no {key}"
        for key in ("question", "evidence", "db_id", "difficulty", "question_id", self.layout.sql):
            if found := WRONG.search(text_of(content, key)):
                return "encoding", f"{key} holds {found.group()!a}"
        schema = self._schema(content["db_id"])
        return ("database", schema) if isinstance(schema, str) else None

    def _schema(self, db_id: str) -> list[TableInfo] | str:
        """The database's tables, or why it cannot be used; the first call links it."""
        if db_id not in self.schemas:
            file = self.originals / db_id / f"{db_id}.sqlite"
            if Path(db_id).name != db_id or not file.is_file():
                self.schemas[db_id] = f"there is no {file}"
            else:
                self.schemas[db_id] = self._read(db_id, file)
        return self.schemas[db_id]

    def _read(self, db_id: str, file: Path) -> list[TableInfo] | str:
        try:
            found = read_schema(file, EXAMPLES if self.form.style == "ddl" else 0)
        except sqlite3.Error as error:
            return f"{file}: {error}"
        link = self.databases / db_id
        if not link.exists():
            link.symlink_to(file.parent.resolve(), target_is_directory=True)
        linked = (link / file.name).resolve()
        if linked != file.resolve() and not filecmp.cmp(linked, file, shallow=False):
            return f"{file} is another database than {linked}, which has the same name"
        return found or f"{file} holds no table"

    def _sql(self, entry: Entry) -> str:
        return text_of(entry.content, self.layout.sql)

    def _row(self, entry: Entry, index: int) -> Row:
        content = entry.content
        schema = self.schemas[content["db_id"]]
        assert not isinstance(schema, str)
        question, evidence = text_of(content, "question"), text_of(content, "evidence")
        messages, dropped = self.form.write(schema, question, evidence)
        self.cuts.count(dropped)
        return sql_row(
            identity=f"{self.split}-{content.get('question_id', f'{entry.file}:{entry.place}')}",
            source=self.source,
            db_id=content["db_id"],
            question=question,
            sql=self._sql(entry),
            messages=messages,
            index=index,
            split=self.split,
            evidence=evidence,
            difficulty=text_of(content, "difficulty"),
            tables_left_out=dropped,
        )


def _bad(entry: Entry, problem: str, detail: str) -> BadRow:
    db_id = entry.content.get("db_id") if isinstance(entry.content, dict) else None
    return BadRow(entry.file, entry.place, db_id if isinstance(db_id, str) else "", problem, detail)
