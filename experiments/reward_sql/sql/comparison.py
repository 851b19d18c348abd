"""Whether a query's result is the gold query's: execution match (EX).

What is decided, and why:

- **Sets of rows**, as published: order and repetition do not count. Where the gold query orders its rows they have to
  come in its order (``order: gold``); ``duplicates: true`` counts repetition.
- **Ties.** Where every key that the gold orders by is a column of its result, rows with equal keys may come in any
  order; where a key is not, the gold's order is taken as it stands. Where ``LIMIT`` cuts within a tie, the tie's other
  rows are wrong.
- **NULL** equals NULL and nothing else: not 0, not '' and not the text NULL.
- **Numbers** are equal within ``tolerance``, relative or absolute, so that averages and sums that were computed another
  way agree; 1 is 1.0, and where a column holds integers alone they must be the same. A text is no number. The numbers
  of a column are made one of a few first, those of both results together, and compared exactly then, so that equal rows
  are equal whatever stands beside them. ``tolerance: 0`` is as published.
- **Columns** must be as many as the gold's and in its order, as published; their names do not count. A column that is
  there twice is one too many. ``column_order: false`` takes them in any order.
- **An empty result** equals an empty gold result, as published. ``empty: false`` lets none match, for data where
  finding nothing is too easy.
- **A wrong query with the right rows** matches: on one database nothing tells it from a right one. Process rewards of
  its steps are what speaks against it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from harness.errors import ConfigurationError

Row = Sequence[Any]
Rows = Sequence[Row]
ORDERS = ("gold", "never", "always")
MOST_ARRANGEMENTS = 720  # of columns that are tried


@dataclass(frozen=True)
class Rules:
    """What makes two results equal; see this module.

    Attributes:
        order: ``gold``: the order of rows counts where the gold query orders them; ``never``; ``always``.
        duplicates: Whether it counts how often a row is there.
        tolerance: Of numbers, relative and absolute.
        column_order: Whether the columns have to come in the gold's order.
        empty: Whether an empty result can match.
    """

    order: str = "gold"
    duplicates: bool = False
    tolerance: float = 1e-10
    column_order: bool = True
    empty: bool = True

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ConfigurationError(f"order={self.order!r} is not known.", f"Choose one of {', '.join(ORDERS)}.")
        if not 0 <= self.tolerance < 1:
            raise ConfigurationError(f"tolerance={self.tolerance}: from 0 to less than 1 is needed.")


@dataclass(frozen=True)
class GoldOrder:
    """How the gold query orders its rows.

    Attributes:
        keys: The columns of its result that it orders by; None where it orders by something else as well.
    """

    keys: tuple[int, ...] | None


def same_rows(predicted: Rows, gold: Rows, rules: Rules, order: GoldOrder | None) -> bool:
    """Whether two results are equal.

    Args:
        predicted: Rows of the predicted query.
        gold: Rows of the gold query.
        rules: What counts.
        order: How the gold query orders its rows; None where it does not.
    """
    if not predicted or not gold:
        return rules.empty and not predicted and not gold
    if len(predicted[0]) != len(gold[0]):
        return False
    wanted = {"gold": order, "never": None, "always": order or GoldOrder(None)}[rules.order]
    if rules.column_order:
        return _same(predicted, gold, rules, wanted)
    return any(_same(rows, gold, rules, wanted) for rows in _arranged(predicted, gold, rules))


def _same(predicted: Rows, gold: Rows, rules: Rules, order: GoldOrder | None) -> bool:
    """With the columns as they stand."""
    width = range(len(gold[0]))
    names = [_names((row[column] for rows in (predicted, gold) for row in rows), rules.tolerance) for column in width]
    ours, theirs = (
        [tuple(known.get(value, value) for value, known in zip(row, names, strict=True)) for row in rows]
        for rows in (predicted, gold)
    )
    if not rules.duplicates:
        ours, theirs = list(dict.fromkeys(ours)), list(dict.fromkeys(theirs))
    if len(ours) != len(theirs):
        return False
    if order is not None:
        keys = width if order.keys is None else order.keys
        if any(one[key] != other[key] for one, other in zip(ours, theirs, strict=True) for key in keys):
            return False
    return Counter(ours) == Counter(theirs)


def _names(cells: Iterable[Any], tolerance: float) -> dict[float, float]:
    """The least of the numbers that each number of a column is equal to; nothing where numbers are compared exactly."""
    numbers = {cell for cell in cells if isinstance(cell, (int, float))}
    if not tolerance or not any(isinstance(number, float) for number in numbers):
        return {}
    found: dict[float, float] = {}
    least = -math.inf
    for number in sorted(numbers):
        if not math.isclose(number, least, rel_tol=tolerance, abs_tol=tolerance):
            least = number
        found[number] = least
    return found


def _arranged(predicted: Rows, gold: Rows, rules: Rules) -> Iterator[list[Row]]:
    """The predicted rows with their columns in orders that could be the gold's."""
    kinds = _kinds([*_columns(predicted), *_columns(gold)], rules.tolerance)
    ours, theirs = kinds[: len(gold[0])], kinds[len(gold[0]) :]
    if sorted(ours) != sorted(theirs):
        return
    for choice in islice(_choices(ours, theirs), MOST_ARRANGEMENTS):
        yield [[row[column] for column in choice] for row in predicted]


def _columns(rows: Rows) -> list[set[Any]]:
    return [set(column) for column in zip(*rows, strict=True)]


def _kinds(columns: Sequence[set[Any]], tolerance: float) -> list[int]:
    """A number for each column, the same for those with the same values."""
    firsts: list[set[Any]] = []
    found = []
    for column in columns:
        kind = next((place for place, first in enumerate(firsts) if _like(first, column, tolerance)), len(firsts))
        if kind == len(firsts):
            firsts.append(column)
        found.append(kind)
    return found


def _like(one: set[Any], other: set[Any], tolerance: float) -> bool:
    if one == other:
        return True
    names = _names(one | other, tolerance)
    return {names.get(value, value) for value in one} == {names.get(value, value) for value in other}


def _choices(ours: Sequence[int], theirs: Sequence[int], taken: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Orders of our columns in which each is of the kind of theirs; both have as many of each, so none ends early."""
    if len(taken) == len(theirs):
        yield taken
        return
    for column, kind in enumerate(ours):
        if kind == theirs[len(taken)] and column not in taken:
            yield from _choices(ours, theirs, (*taken, column))
