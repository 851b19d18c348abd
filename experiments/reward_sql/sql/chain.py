"""A chain of common table expressions (CoCTE) as steps: each CTE is a step of reasoning, the final query the last one.

    WITH c1 AS (q1),

    c2 AS (q2)

    SELECT …;

sqlglot's tokens give the places, so that a query that is wrong within a step, or cut off, still has the steps before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.errors import SqlglotError
from sqlglot.tokens import TokenType

DIALECT = "sqlite"
SHOWN_ROWS = 50  # of a step's result, as published
MOST_NESTED = (
    8  # calls within one another of names that are types too, as sqlglot's time doubles with each: date(date(…
)
TYPES = SQLite.Parser.TYPE_TOKENS
CLOSINGS = ("", "'", '"', "`", "]", "*/")  # what a response that was cut off may lack


@dataclass(frozen=True)
class Step:
    """A step of a chain.

    Attributes:
        name: The CTE's name as it is written; "" for the final query.
        start, end: The step's characters in the SQL, end not included. Steps lie side by side from the SQL's first
            character to its last; a separating comma belongs to the step before it.
        body: Its own query, without its name and parenthesis.
        query: What shows the step's result: the chain up to it and ``SELECT * FROM name``, or the whole SQL.
        complete: Whether its parenthesis is closed; always true of the final query.
    """

    name: str
    start: int
    end: int
    body: str
    query: str
    complete: bool = True

    @property
    def table(self) -> str:
        """The name without quotes, lower case, as SQLite compares names."""
        return self.name.strip("\"'`[]").lower()


@dataclass(frozen=True)
class Names:
    """What a query names, lower case.

    Attributes:
        tables: Tables, CTEs among them.
        columns: Columns without their table, as which one they come from is for the database to say.
        aliases: Names that it gives to columns.
    """

    tables: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def steps_of(sql: str) -> tuple[Step, ...]:
    """The steps of a query; one that is no chain is a single final step.

    Args:
        sql: Text that is not empty.
    """
    tokens = _tokens(sql)
    steps: list[Step] = []
    place, begin = (1, 0) if tokens and tokens[0].token_type == TokenType.WITH else (len(tokens), 0)
    if place < len(tokens) and tokens[place].token_type == TokenType.RECURSIVE:
        place += 1
    while body := _body(tokens, place):
        name = sql[tokens[place].start : tokens[place].end + 1]
        closing = _closing(tokens, body)
        inside = tokens[body].end + 1
        if closing is None:
            return (*steps, Step(name, begin, len(sql), sql[inside:], sql, complete=False))
        more = closing + 1 < len(tokens) and tokens[closing + 1].token_type == TokenType.COMMA
        end = tokens[closing + more].end + 1
        shown = f"{sql[: tokens[closing].end + 1]}\nSELECT * FROM {name} LIMIT {SHOWN_ROWS}"
        steps.append(Step(name, begin, end, sql[inside : tokens[closing].start], shown))
        begin, place = end, closing + 1 + more
        if not more:
            break
    rest = sql[begin:].strip(" \t\r\n;")
    if rest or not steps:
        return (*steps, Step("", begin, len(sql), rest, sql))
    return (*steps[:-1], replace(steps[-1], end=len(sql)))


def is_chain(steps: Sequence[Step]) -> bool:
    """Whether it is a whole chain: at least one CTE and a final query, all of them closed."""
    return len(steps) > 1 and not steps[-1].name and all(step.complete for step in steps)


def used_later(sql: str, steps: Sequence[Step]) -> list[bool]:
    """Whether a later step names each step's table; always true of the final query."""
    words = [(token.start, token.text.lower()) for token in _tokens(sql) if _is_name(token)]
    return [not step.name or any(start >= step.end and word == step.table for start, word in words) for step in steps]


@lru_cache(maxsize=4096)
def names_in(query: str) -> Names:
    """What a query names; nothing where sqlglot cannot read it, or would take for ever."""
    if _nested_types(_tokens(query)) > MOST_NESTED:
        return Names()
    try:
        tree = sqlglot.parse_one(query, read=DIALECT)
    except (SqlglotError, RecursionError):
        return Names()
    return Names(
        frozenset(table.name.lower() for table in tree.find_all(exp.Table)),
        frozenset(column.name.lower() for column in tree.find_all(exp.Column) if column.name != "*"),
        frozenset(alias.alias.lower() for alias in tree.find_all(exp.Alias)),
    )


def _tokens(sql: str) -> list[Any]:
    for closing in CLOSINGS:
        try:
            return [token for token in sqlglot.tokenize(sql + closing, read=DIALECT) if token.start < len(sql)]
        except SqlglotError:
            continue
    return []


def _nested_types(tokens: Sequence[Any]) -> int:
    """How many calls of names that are types are within one another, at most."""
    within: list[bool] = []
    most = 0
    for before, token in pairwise(tokens):
        if token.token_type == TokenType.L_PAREN:
            within.append(before.token_type in TYPES)
            most = max(most, sum(within))
        elif token.token_type == TokenType.R_PAREN and within:
            within.pop()
    return most


def _body(tokens: Sequence[Any], place: int) -> int | None:
    """The parenthesis of ``name [(columns)] AS [[NOT] MATERIALIZED] (``, or None where no such thing begins."""
    position = place + 1
    if position < len(tokens) and tokens[position].token_type == TokenType.L_PAREN:
        closing = _closing(tokens, position)
        position = len(tokens) if closing is None else closing + 1
    if position >= len(tokens) or tokens[position].token_type != TokenType.ALIAS:
        return None
    position += 1
    while position < len(tokens) and tokens[position].text.upper() in ("NOT", "MATERIALIZED"):
        position += 1
    return position if position < len(tokens) and tokens[position].token_type == TokenType.L_PAREN else None


def _closing(tokens: Sequence[Any], opening: int) -> int | None:
    depth = 0
    for place in range(opening, len(tokens)):
        kind = tokens[place].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            return place
    return None


def _is_name(token: Any) -> bool:
    return token.token_type != TokenType.STRING
