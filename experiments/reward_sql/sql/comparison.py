"""Whether a query's result is the gold query's: execution match (EX).

What is decided, and why:

- **Sets of rows**, as published: order and repetition do not count. Where the gold query orders its rows they have to
  come in its order (``order: gold``); ``duplicates: true`` counts repetition.
- **Ties.** Where every key that the gold orders by is a column of its result, rows with equal keys may come in any
  order; where a key is not, the gold's order is taken as it stands. Where ``LIMIT`` cuts within a tie, the tie's other
  rows are wrong.
- **NULL** equals NULL and nothing else: not 0, not '' and not the text NULL.
- **Numbers** are equal within ``tolerance``, relative or absolute, so that averages and sums that were computed another
  way agree; 1 is 1.0, and two integers must be the same. A text is no number. ``tolerance: 0`` is as published.
- **Columns** must be as many as the gold's and in its order, as published; their names do not count. A column that is
  there twice is one too many. ``column_order: false`` takes them in any order.
- **An empty result** equals an empty gold result, as published. ``empty: false`` lets none match, for data where
  finding nothing is too easy.
- **A wrong query with the right rows** matches: on one database nothing tells it from a right one. Process rewards of
  its steps are what speaks against it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
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
    tolerance = rules.tolerance
    if not rules.duplicates:
        predicted, gold = _once(predicted, tolerance), _once(gold, tolerance)
    if len(predicted) != len(gold):
        return False
    if order is not None and order.keys is None:
        return _pairwise(predicted, gold, tolerance)
    if order is not None:
        ours, theirs = ([[row[key] for key in order.keys or ()] for row in rows] for rows in (predicted, gold))
        if not _pairwise(ours, theirs, tolerance):
            return False
    ranked = [sorted(rows, key=lambda row: _rank(row, tolerance)) for rows in (predicted, gold)]
    return _pairwise(ranked[0], ranked[1], tolerance)


def _once(rows: Rows, tolerance: float) -> list[Row]:
    """Each row where it first appears."""
    first: dict[Any, Row] = {}
    for row in rows:
        first.setdefault(_rank(row, tolerance), row)
    return list(first.values())


def _pairwise(some: Rows, others: Rows, tolerance: float) -> bool:
    return all(
        all(_equal(a, b, tolerance) for a, b in zip(row, other, strict=True))
        for row, other in zip(some, others, strict=True)
    )


def _equal(a: Any, b: Any, tolerance: float) -> bool:
    numbers = isinstance(a, (int, float)) and isinstance(b, (int, float))
    if numbers and tolerance and (isinstance(a, float) or isinstance(b, float)):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    return a == b if numbers else type(a) is type(b) and a == b


def _rank(row: Row, tolerance: float) -> tuple[Any, ...]:
    """What rows are sorted by: all but numbers first, so that numbers that are nearly equal do not part equal rows."""
    digits = max(1, round(-math.log10(tolerance))) if tolerance else 0
    numbers = tuple(_rounded(value, digits) for value in row if isinstance(value, (int, float)))
    return tuple(_kind(value) for value in row), numbers


def _kind(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, ""
    if isinstance(value, (int, float)):
        return 1, ""
    return (2, value) if isinstance(value, str) else (3, value.hex())


def _rounded(value: float, digits: int) -> float:
    rounded = float(f"{value:.{digits}g}") if digits and isinstance(value, float) else value
    return 0.0 if digits and abs(rounded) < 10.0**-digits else rounded


def _arranged(predicted: Rows, gold: Rows, rules: Rules) -> Iterator[list[Row]]:
    """The predicted rows with their columns in every order that could be the gold's."""

    def values(rows: Rows, column: int) -> list[Any]:
        cells = [(row[column],) for row in rows]
        return sorted({_rank(cell, rules.tolerance) for cell in cells})

    width = range(len(gold[0]))
    ours = [values(predicted, column) for column in width]
    fitting = [[column for column in width if ours[column] == values(gold, place)] for place in width]
    orders = (choice for choice in product(*fitting) if len(set(choice)) == len(choice))
    for choice in islice(orders, MOST_ARRANGEMENTS):
        yield [[row[column] for column in choice] for row in predicted]
