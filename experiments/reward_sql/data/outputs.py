"""What a question asks for: a list, a number, a table by group, or the first of an order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from experiments.reward_sql.data.filters import Scene
from experiments.reward_sql.data.schemas import Column

Used = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Output:
    """What is asked of the rows that are left.

    Attributes:
        frames: Ways to ask; ``{rows}`` stands for those rows in words.
        select: Expressions and the names that a chain gives them; ``{p}`` stands before columns of the table itself.
        shown: How many of them, from the first, are the answer; the others are what it is ordered by.
        group: ``GROUP BY …``, with ``HAVING …``, or "".
        order: The name in `select` to order by, and ``ASC`` or ``DESC``; "" where there is no order.
        limit: How many rows are asked for; 0 for all.
        join: The reference whose table has to be joined for it.
        plain: Whether it takes columns as they are, so that a chain needs no step for it.
        weight: How hard it is.
    """

    frames: tuple[str, ...]
    select: tuple[tuple[str, str], ...]
    shown: int = 1
    group: str = ""
    order: str = ""
    limit: int = 0
    join: Column | None = None
    plain: bool = False
    weight: int = 1


def _list(scene: Scene, used: Used) -> Output | None:
    kinds = ("label",) if scene.draw.random() < 0.6 and scene.table.of_kind("label") else ("label", "cat", "date")
    column = scene.column(*kinds, without=used) or scene.column("label", "cat", "date", without=used)
    if column is None:
        return None
    frames = (f"List the {column.name} of {{rows}}.", f"What is the {column.name} of {{rows}}?")
    return Output(frames, ((f"{{p}}{column.name}", column.name),), plain=True)


def _pair(scene: Scene, used: Used) -> Output | None:
    one = scene.column("label", "cat", without=used)
    other = scene.column("int", "real", "date", without=used)
    if one is None or other is None:
        return None
    both = f"{one.name} and {other.name}"
    frames = (f"List the {both} of {{rows}}.", f"Show {both} for all {{rows}}.")
    select = ((f"{{p}}{one.name}", one.name), (f"{{p}}{other.name}", other.name))
    return Output(frames, select, shown=2, plain=True)


def _different(scene: Scene, used: Used) -> Output | None:
    column = scene.column("cat", without=used)
    if column is None:
        return None
    frames = (f"Which different {column.name} do {{rows}} have?", f"List every {column.name} of {{rows}} once.")
    return Output(frames, ((f"DISTINCT {{p}}{column.name}", column.name),))


def _count(scene: Scene, used: Used) -> Output | None:
    return Output(("How many {rows} are there?", "Count the {rows}."), (("COUNT(*)", "n"),))


def _count_different(scene: Scene, used: Used) -> Output | None:
    column = scene.column("cat", without=used)
    if column is None:
        return None
    frames = (f"How many different {column.name} do {{rows}} have?",)
    return Output(frames, ((f"COUNT(DISTINCT {{p}}{column.name})", "n"),))


def _aggregate(word: str, function: str) -> Callable[[Scene, Used], Output | None]:
    def make(scene: Scene, used: Used) -> Output | None:
        column = scene.column("int", "real")
        if column is None:
            return None
        frames = (f"What is the {word} {column.name} of {{rows}}?", f"Find the {word} {column.name} among {{rows}}.")
        return Output(frames, ((f"{function}({{p}}{column.name})", "n"),))

    return make


def _share(scene: Scene, used: Used) -> Output | None:
    table = scene.table.name
    frames = (f"What percentage of all {table} are {{rows}}?",)
    return Output(frames, ((f"COUNT(*) * 100.0 / (SELECT COUNT(*) FROM {table})", "n"),), weight=2)


def _extreme(scene: Scene, used: Used) -> Output | None:
    shown, by = scene.column("label", without=used), scene.column("int", "real")
    if shown is None or by is None:
        return None
    word, way = scene.draw.choice([("highest", "DESC"), ("lowest", "ASC")])
    frames = (f"Among {{rows}}, which {shown.name} has the {word} {by.name}?",)
    select = ((f"{{p}}{shown.name}", shown.name), (f"{{p}}{by.name}", by.name))
    return Output(frames, select, order=f"{by.name} {way}", limit=1, plain=True, weight=2)


def _top(scene: Scene, used: Used) -> Output | None:
    shown, by = scene.column("label", without=used), scene.column("int", "real")
    if shown is None or by is None:
        return None
    count = scene.draw.randint(2, 5)
    word, way = scene.draw.choice([("highest", "DESC"), ("lowest", "ASC")])
    frames = (f"Which {count} {shown.name} have the {word} {by.name} among {{rows}}, from the {word} on?",)
    select = ((f"{{p}}{shown.name}", shown.name), (f"{{p}}{by.name}", by.name))
    return Output(frames, select, order=f"{by.name} {way}", limit=count, plain=True, weight=2)


def _sorted(scene: Scene, used: Used) -> Output | None:
    shown, by = scene.column("label", without=used), scene.column("int", "real", "date")
    if shown is None or by is None:
        return None
    word, way = scene.draw.choice([("ascending", "ASC"), ("descending", "DESC")])
    frames = (f"List the {shown.name} of {{rows}} in {word} order of {by.name}.",)
    select = ((f"{{p}}{shown.name}", shown.name), (f"{{p}}{by.name}", by.name))
    return Output(frames, select, order=f"{by.name} {way}", plain=True, weight=2)


def _by_category(scene: Scene, used: Used) -> Output | None:
    column = scene.column("cat", without=used)
    if column is None:
        return None
    frames = (f"For each {column.name}, how many {{rows}} are there?", f"Count the {{rows}} per {column.name}.")
    select = ((f"{{p}}{column.name}", column.name), ("COUNT(*)", "n"))
    return Output(frames, select, shown=2, group=f"GROUP BY {{p}}{column.name}", weight=2)


def _number_by_category(scene: Scene, used: Used) -> Output | None:
    column, by = scene.column("cat", without=used), scene.column("int", "real")
    if column is None or by is None:
        return None
    word, function = scene.draw.choice([("average", "AVG"), ("total", "SUM"), ("largest", "MAX"), ("smallest", "MIN")])
    frames = (f"For each {column.name}, what is the {word} {by.name} of {{rows}}?",)
    select = ((f"{{p}}{column.name}", column.name), (f"{function}({{p}}{by.name})", "n"))
    return Output(frames, select, shown=2, group=f"GROUP BY {{p}}{column.name}", weight=2)


def _having(scene: Scene, used: Used) -> Output | None:
    column = scene.column("cat", without=used)
    if column is None:
        return None
    least = scene.draw.randint(1, 12)
    frames = (f"Which {column.name} have more than {least} {{rows}}?",)
    group = f"GROUP BY {{p}}{column.name} HAVING COUNT(*) > {least}"
    return Output(frames, ((f"{{p}}{column.name}", column.name),), group=group, weight=3)


def _category_with_most(scene: Scene, used: Used) -> Output | None:
    column = scene.column("cat", without=used)
    if column is None:
        return None
    word, way = scene.draw.choice([("most", "DESC"), ("fewest", "ASC")])
    select = ((f"{{p}}{column.name}", column.name), ("COUNT(*)", "n"))
    group = f"GROUP BY {{p}}{column.name}"
    frames = (f"Which {column.name} has the {word} {{rows}}?",)
    return Output(frames, select, group=group, order=f"n {way}", limit=1, weight=3)


def _by_year(scene: Scene, used: Used) -> Output | None:
    column = scene.column("date", without=used)
    if column is None:
        return None
    year = f"strftime('%Y', {{p}}{column.name})"
    frames = (f"For each year of {column.name}, how many {{rows}} are there?",)
    return Output(frames, ((year, "year"), ("COUNT(*)", "n")), shown=2, group=f"GROUP BY {year}", weight=3)


def _parents(scene: Scene, used: Used) -> Output | None:
    found = scene.parent("label", "cat")
    if found is None or (found[1].name, found[2].name) in used:
        return None
    reference, table, column = found
    frames = (f"List every {table.name} {column.name} of {{rows}} once.",)
    return Output(frames, ((f"DISTINCT {table.name}.{column.name}", column.name),), join=reference, weight=2)


def _by_parent(scene: Scene, used: Used) -> Output | None:
    found = scene.parent("cat")
    if found is None or (found[1].name, found[2].name) in used:
        return None
    reference, table, column = found
    frames = (f"For each {table.name} {column.name}, how many {{rows}} are there?",)
    select = ((f"{table.name}.{column.name}", column.name), ("COUNT(*)", "n"))
    group = f"GROUP BY {table.name}.{column.name}"
    return Output(frames, select, shown=2, group=group, join=reference, weight=3)


def _parent_with_most(scene: Scene, used: Used) -> Output | None:
    found = scene.parent("label")
    if found is None or (found[1].name, found[2].name) in used:
        return None
    reference, table, column = found
    frames = (f"Which {table.name} {column.name} has the most {{rows}}?",)
    select = ((f"{table.name}.{column.name}", column.name), ("COUNT(*)", "n"))
    group = f"GROUP BY {table.name}.{table.key}"
    return Output(frames, select, group=group, order="n DESC", limit=1, join=reference, weight=3)


OUTPUTS: dict[str, Callable[[Scene, Used], Output | None]] = {
    "list": _list,
    "pair": _pair,
    "different": _different,
    "count": _count,
    "count_different": _count_different,
    "average": _aggregate("average", "AVG"),
    "total": _aggregate("total", "SUM"),
    "largest": _aggregate("largest", "MAX"),
    "smallest": _aggregate("smallest", "MIN"),
    "share": _share,
    "extreme": _extreme,
    "top": _top,
    "sorted": _sorted,
    "by_category": _by_category,
    "number_by_category": _number_by_category,
    "having": _having,
    "category_with_most": _category_with_most,
    "by_year": _by_year,
    "parents": _parents,
    "by_parent": _by_parent,
    "parent_with_most": _parent_with_most,
}
