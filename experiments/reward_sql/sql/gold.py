"""The gold query: whether and by what it orders its rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from experiments.reward_sql.sql.chain import DIALECT
from experiments.reward_sql.sql.comparison import GoldOrder


@lru_cache(maxsize=4096)
def gold_order(sql: str) -> GoldOrder | None:
    """How a query orders the rows of its result; None where it does not, or where sqlglot cannot read it."""
    try:
        tree = sqlglot.parse_one(sql, read=DIALECT)
    except (SqlglotError, RecursionError):
        return None
    order = tree.args.get("order")
    if order is None:
        return None
    columns = tree.selects if isinstance(tree, exp.Query) else []
    if any(isinstance(column, exp.Star) or column.is_star for column in columns):
        return GoldOrder(None)
    keys = [_column_of(ordered.this, columns) for ordered in order.expressions]
    return GoldOrder(None if None in keys else tuple(key for key in keys if key is not None))


def _column_of(key: Any, columns: Sequence[Any]) -> int | None:
    """The column of the result that is this key: by its position, its name or its expression."""
    if isinstance(key, exp.Literal) and key.is_int:
        position = int(key.this) - 1
        return position if 0 <= position < len(columns) else None
    for place, column in enumerate(columns):
        named = isinstance(key, exp.Column) and not key.table and key.name.lower() == column.alias_or_name.lower()
        if named or key == column.unalias():
            return place
    return None
