"""Makes a data set of text-to-SQL on the spot: databases, questions, gold SQL and chains of CTEs.

    prepare.data: {_target_: experiments.reward_sql.data.generated.make_generated, path: ${made:data}}

Three splits: ``train`` and ``validation`` share databases and no template, ``test`` is on databases of its own. verl
reports them apart, as ``held_out_templates`` and ``held_out_databases``. Every question has one answer that is not
empty, in one order where it asks for one, and its chain gives the same rows.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from experiments.reward_sql.data.databases import make_database
from experiments.reward_sql.data.filters import Scene, Values
from experiments.reward_sql.data.length import length_of
from experiments.reward_sql.data.prompt import STYLES, Cuts, PromptForm, PromptTooLong, TableInfo, read_schema
from experiments.reward_sql.data.questions import Question, ask, templates
from experiments.reward_sql.data.rows import sql_row
from experiments.reward_sql.data.schemas import HELD_OUT, SEEN, tables_of
from harness.data.convert import write_account
from harness.data.parquet import Row, write_splits
from harness.errors import ConfigurationError

VERSION = 2  # of what the modules beside this one make; the cache knows them by this number
SOURCES = {"train": "generated", "validation": "held_out_templates", "test": "held_out_databases"}
CHARACTERS_PER_TOKEN = 2.5  # names here are ordinary words: with today's tokenizers there are about three
FRUITLESS = 20_000  # tries in a row without a new question after which there are none left


def make_generated(
    path: Path,
    *,
    train_size: int = 20_000,
    validation_size: int = 500,
    test_size: int = 500,
    seed: int = 0,
    system: str | None = None,
    prompt: str = "{schema}\n{question}",
    style: str = "compact",
    max_prompt_length: int = 512,
    tokenizer: str | None = None,
    difficulties: Mapping[str, bool] | None = None,
) -> None:
    """Write ``databases/``, ``train.parquet``, ``validation.parquet`` and ``test.parquet``.

    ``source.json`` tells how many prompts have lost tables to ``max_prompt_length``.

    Args:
        path: Empty folder to fill.
        train_size: Questions to train on; all are different.
        validation_size: Questions by held-out templates. They do not depend on the other sizes.
        test_size: Questions about held-out databases, by all templates.
        seed: Of the databases and the questions.
        system: System message; None leaves it to the model's chat template.
        prompt: The user's message; may name ``{schema}`` and ``{question}``.
        style: How a schema is written, ``compact`` or ``ddl``.
        max_prompt_length: Tokens that a prompt may have.
        tokenizer: Model folder or hub name to count tokens with; None estimates.
        difficulties: Which of easy, medium, hard and extra to ask; all if not given.

    Raises:
        ConfigurationError: A parameter has a wrong value, there are not so many different questions, or prompts are
            over the limit with a single table.
    """
    if style not in STYLES:
        raise ConfigurationError(f"prepare.data.style={style!r} is not one of {', '.join(STYLES)}.")
    sizes = {"train": train_size, "validation": validation_size, "test": test_size}
    form = PromptForm(system, prompt, style, max_prompt_length, length_of(tokenizer, characters=CHARACTERS_PER_TOKEN))
    cuts = {split: Cuts() for split in sizes}
    write_splits(path, generated_rows(path / "databases", sizes, form, seed, difficulties, cuts))
    notes = [f"{split}: {line}" for split, each in cuts.items() if (line := each.line(sizes[split]))]
    write_account(path, {"source": "generated", "notes": notes}, {})


def generated_rows(
    databases: Path,
    sizes: Mapping[str, int],
    form: PromptForm,
    seed: int,
    difficulties: Mapping[str, bool] | None,
    cuts: Mapping[str, Cuts] | None = None,
) -> dict[str, list[Row]]:
    """The rows of each split; the databases are made in a folder that is not there yet.

    Args:
        databases: That folder.
        sizes: Rows of each split, of ``train``, ``validation`` and ``test``. They do not depend on one another.
        form: How prompts are written.
        seed: As in `make_generated`.
        difficulties: As there.
        cuts: Split → takes what became of its prompts.

    Raises:
        ConfigurationError: As there.
    """
    allowed = {name for name, chosen in (difficulties or {}).items() if chosen}
    world = {db_id: World(make_database(databases, db_id, seed), db_id) for db_id in (*SEEN, *HELD_OUT)}
    splits = {}
    for split, size in sizes.items():
        cut = (cuts or {}).get(split) or Cuts()
        rows = _rows(split, world, form, allowed, random.Random(f"{seed} {split}"), cut)
        splits[split] = list(islice(rows, size))
        if len(splits[split]) < size:
            raise ConfigurationError(
                f"prepare.data.{split}_size={size}: there are only about {len(splits[split])} such questions.",
                "Lower it, or allow more difficulties.",
            )
        if cut.too_long:
            raise ConfigurationError(
                f"prepare.data.max_prompt_length={form.longest}: {cut.too_long} of {size} prompts of {split} are "
                f"longer; the first one: {cut.example}.",
                "Allow longer prompts with data.max_prompt_length, or shorten prepare.data.prompt or system.",
            )
    return splits


class World:
    """A database that is asked about.

    Args:
        path: Its file.
        db_id: Its name in `schemas`.
    """

    def __init__(self, path: Path, db_id: str) -> None:
        self.db_id = db_id
        self.tables = tables_of(db_id)
        self.schema: list[TableInfo] = read_schema(path, examples=3)
        self.connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        self.values: Values = {
            (table.name, column.name): [value for (value,) in self._sorted(table.name, column.name)]
            for table in self.tables.values()
            for column in table.columns
        }

    def ask(self, template: str, draw: random.Random) -> Question | None:
        """A question by a template with one answer, which is not empty; None if this try gave none."""
        table = draw.choice(list(self.tables.values()))
        question = ask(template, Scene(table, self.tables, self.values, draw))
        return question if question is not None and self._has_one_answer(question) else None

    def _has_one_answer(self, question: Question) -> bool:
        if question.tie:
            keys = self._run(question.tie)
            if len(set(keys)) < len(keys):
                return False
        rows, others = self._run(question.sql), self._run(question.chain)
        if Counter(rows) != Counter(others):
            raise AssertionError(f"the chain says something else: {question}")
        return bool(rows) and any(value is not None for row in rows for value in row)

    def _run(self, sql: str) -> list[tuple[object, ...]]:
        return self.connection.execute(sql).fetchall()

    def _sorted(self, table: str, column: str) -> list[tuple[object, ...]]:
        return self._run(f"SELECT {column} FROM {table} ORDER BY {column}")


def _rows(
    split: str, world: Mapping[str, World], form: PromptForm, allowed: set[str], draw: random.Random, cut: Cuts
) -> Iterator[Row]:
    """Different questions of a split, its databases and templates in turn."""
    db_ids = list(HELD_OUT if split == "test" else SEEN)
    known = templates()
    names = [name for name, held_out in known.items() if split == "test" or held_out == (split == "validation")]
    asked: set[tuple[str, str]] = set()
    fruitless = 0
    while fruitless < FRUITLESS:
        for template, db_id in zip(draw.sample(names, len(names)), _turns(db_ids, len(names), draw), strict=True):
            question = _first(lambda: world[db_id].ask(template, draw), allowed)  # noqa: B023  used at once
            if question is None or (db_id, question.text) in asked:
                fruitless += 1
                continue
            fruitless = 0
            asked.add((db_id, question.text))
            index = len(asked) - 1
            try:
                messages, dropped = form.write(world[db_id].schema, question.text)
                cut.count(dropped)
            except PromptTooLong as problem:  # goes on, so that all are counted
                messages = []
                cut.leave_out(problem)
            yield sql_row(
                identity=f"{split}-{index}",
                source=SOURCES[split],
                db_id=db_id,
                question=question.text,
                sql=question.sql,
                messages=messages,
                index=index,
                split=split,
                solution=question.chain,
                template=template,
                held_out_template=known[template],
                difficulty=question.difficulty,
            )


def _turns(db_ids: list[str], count: int, draw: random.Random) -> list[str]:
    turns = [db_ids[place % len(db_ids)] for place in range(count)]
    draw.shuffle(turns)
    return turns


def _first(make: Callable[[], Question | None], allowed: set[str], tries: int = 8) -> Question | None:
    """The first question in a few tries, as most tables have not got what a template takes."""
    for _ in range(tries):
        question = make()
        if question is not None and (not allowed or question.difficulty in allowed):
            return question
    return None
