"""What narrows a question down: conditions in words, in flat SQL and as a step of a chain."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from experiments.reward_sql.data.schemas import Column, Table

Values = dict[tuple[str, str], list[object]]  # the values of a column, by table and column, in order of size


@dataclass(frozen=True)
class Filter:
    """A condition on the rows of a table.

    Attributes:
        phrase: It in words, such as ``with pages over 300``.
        condition: It in SQL; ``{p}`` stands before columns of the table itself.
        join: The table that has to be joined for it, or "".
        uses: The columns that it is about, as (table, column).
        weight: How much harder it makes a question.
    """

    phrase: str
    condition: str
    join: Column | None = None
    uses: frozenset[tuple[str, str]] = field(default_factory=frozenset)
    weight: int = 1


@dataclass(frozen=True)
class Scene:
    """What a question can be about: a table among others, their values and a source of chance."""

    table: Table
    tables: dict[str, Table]
    values: Values
    draw: random.Random

    def column(self, *kinds: str, without: frozenset[tuple[str, str]] = frozenset()) -> Column | None:
        """One of the table's columns of some kinds."""
        found = [column for column in self.table.of_kind(*kinds) if (self.table.name, column.name) not in without]
        return self.draw.choice(found) if found else None

    def parent(self, *kinds: str) -> tuple[Column, Table, Column] | None:
        """A reference, the table that it refers to, and one of that table's columns of some kinds."""
        found = [
            (reference, self.tables[reference.detail[0]], column)
            for reference in self.table.of_kind("ref")
            for column in self.tables[reference.detail[0]].of_kind(*kinds)
        ]
        return self.draw.choice(found) if found else None

    def between(self, table: Table, column: Column, low: float, high: float) -> object:
        """A value of a column from a part of its range, by rank."""
        values = self.values[table.name, column.name]
        return values[self.draw.randrange(int(low * len(values)), max(1, int(high * len(values))))]


def number(value: object) -> str:
    """A number as it stands in a question and in SQL."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _number(scene: Scene) -> Filter | None:
    column = scene.column("int", "real")
    if column is None:
        return None
    return _compare(scene, scene.table, column, "{p}", "with")


def _compare(scene: Scene, table: Table, column: Column, prefix: str, word: str, join: Column | None = None) -> Filter:
    name, sign = scene.draw.choice([("over", ">"), ("under", "<"), ("at least", ">="), ("at most", "<=")])
    value = number(scene.between(table, column, 0.2, 0.8))
    uses = frozenset({(table.name, column.name)})
    phrase = f"{word} {column.name} {name} {value}"
    return Filter(phrase, f"{prefix}{column.name} {sign} {value}", join, uses, 2 if join else 1)


def _category(scene: Scene) -> Filter | None:
    column = scene.column("cat")
    if column is None:
        return None
    value = scene.draw.choice(column.detail)
    phrase = scene.draw.choice([f"with {column.name} {value}", f"whose {column.name} is {value}"])
    return Filter(phrase, f"{{p}}{column.name} = '{value}'", None, _of(scene, column))


def _other_category(scene: Scene) -> Filter | None:
    column = scene.column("cat")
    if column is None:
        return None
    value = scene.draw.choice(column.detail)
    phrase = scene.draw.choice([f"whose {column.name} is not {value}", f"with any {column.name} but {value}"])
    return Filter(phrase, f"{{p}}{column.name} != '{value}'", None, _of(scene, column))


def _categories(scene: Scene) -> Filter | None:
    column = scene.column("cat")
    if column is None:
        return None
    one, other = scene.draw.sample(column.detail, 2)
    phrase = f"whose {column.name} is {one} or {other}"
    return Filter(phrase, f"{{p}}{column.name} IN ('{one}', '{other}')", None, _of(scene, column))


def _between(scene: Scene) -> Filter | None:
    column = scene.column("int", "real")
    if column is None:
        return None
    low, high = scene.between(scene.table, column, 0.1, 0.4), scene.between(scene.table, column, 0.6, 0.9)
    span = f"{number(low)} AND {number(high)}"
    phrase = f"with {column.name} between {span.replace('AND', 'and')}"
    return Filter(phrase, f"{{p}}{column.name} BETWEEN {span}", None, _of(scene, column))


def _year(scene: Scene) -> Filter | None:
    column = scene.column("date")
    if column is None:
        return None
    year = str(scene.between(scene.table, column, 0.0, 1.0))[:4]
    return Filter(
        f"{column.name} in {year}", f"strftime('%Y', {{p}}{column.name}) = '{year}'", None, _of(scene, column)
    )


def _date(scene: Scene) -> Filter | None:
    column = scene.column("date")
    if column is None:
        return None
    word, sign = scene.draw.choice([("after", ">"), ("before", "<")])
    day = scene.between(scene.table, column, 0.2, 0.8)
    return Filter(f"{column.name} {word} {day}", f"{{p}}{column.name} {sign} '{day}'", None, _of(scene, column))


def _label(scene: Scene) -> Filter | None:
    column = scene.column("label")
    if column is None:
        return None
    value = scene.between(scene.table, column, 0.0, 1.0)
    return Filter(f"with {column.name} '{value}'", f"{{p}}{column.name} = '{value}'", None, _of(scene, column))


def _start(scene: Scene) -> Filter | None:
    column = scene.column("label")
    if column is None:
        return None
    value = str(scene.between(scene.table, column, 0.0, 1.0)).removeprefix("The ")[0]
    word, pattern = scene.draw.choice([("begins with", f"{value}%"), ("contains", f"%{value}%")])
    return Filter(f"whose {column.name} {word} {value}", f"{{p}}{column.name} LIKE '{pattern}'")


def _parent_category(scene: Scene) -> Filter | None:
    found = scene.parent("cat")
    if found is None:
        return None
    reference, table, column = found
    value = scene.draw.choice(column.detail)
    phrase = f"of {table.name} with {column.name} {value}"
    condition = f"{table.name}.{column.name} = '{value}'"
    return Filter(phrase, condition, reference, frozenset({(table.name, column.name)}), 2)


def _parent_number(scene: Scene) -> Filter | None:
    found = scene.parent("int", "real")
    if found is None:
        return None
    reference, table, column = found
    return _compare(scene, table, column, f"{table.name}.", f"of {table.name} with", reference)


def _with_children(scene: Scene, none: bool = False) -> Filter | None:
    key = scene.table.key
    children = [table.name for table in scene.tables.values() if any(c.name == key for c in table.of_kind("ref"))]
    if not children:
        return None
    child = scene.draw.choice(children)
    phrase = f"without any {child}" if none else f"that have {child}"
    condition = f"{{p}}{key} {'NOT IN' if none else 'IN'} (SELECT {key} FROM {child})"
    return Filter(phrase, condition, weight=2)


def _average(scene: Scene) -> Filter | None:
    column = scene.column("int", "real")
    if column is None:
        return None
    word, sign = scene.draw.choice([("above", ">"), ("below", "<")])
    phrase = f"with {column.name} {word} average"
    inner = f"SELECT AVG({column.name}) FROM {scene.table.name}"
    return Filter(phrase, f"{{p}}{column.name} {sign} ({inner})", None, _of(scene, column), 2)


def _of(scene: Scene, column: Column) -> frozenset[tuple[str, str]]:
    return frozenset({(scene.table.name, column.name)})


FILTERS: dict[str, Callable[[Scene], Filter | None]] = {
    "number": _number,
    "category": _category,
    "other_category": _other_category,
    "categories": _categories,
    "between": _between,
    "year": _year,
    "date": _date,
    "label": _label,
    "start": _start,
    "parent_category": _parent_category,
    "parent_number": _parent_number,
    "with_children": _with_children,
    "without_children": lambda scene: _with_children(scene, none=True),
    "average": _average,
}
