"""Questions with their SQL and its chain of CTEs, put together from what narrows down and what is asked for.

A template is a combination of the two, such as ``average|category+number`` or ``union|number,year``. Some combinations
are held out; every part of them is also in others, so that a model that has learned the parts can answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.reward_sql.data.filters import FILTERS, Filter, Scene
from experiments.reward_sql.data.outputs import OUTPUTS, Output
from experiments.reward_sql.data.schemas import Column, Table

SINGLE = [(name,) for name in FILTERS]
PAIRS = [
    ("category", "number"),
    ("category", "date"),
    ("number", "year"),
    ("parent_category", "number"),
    ("parent_number", "category"),
    ("category", "average"),
    ("with_children", "number"),
]
SET_PAIRS = [("number", "number"), ("number", "year"), ("parent_category", "number"), ("date", "average")]
SETS = {"union": "UNION", "intersection": "INTERSECT", "difference": "EXCEPT"}
LABEL_OUTPUTS = {"list", "pair", "parents"}  # a single row has no average worth asking for
EVERY = 6  # one template in so many is held out
EASY, MEDIUM, HARD = 2, 3, 4  # most weight of each


@dataclass(frozen=True)
class Question:
    """A question with two ways to answer it.

    Attributes:
        text: The question.
        sql: Its gold SQL.
        chain: The same as a chain of CTEs.
        difficulty: ``easy``, ``medium``, ``hard`` or ``extra``.
        tie: A query for what the rows are ordered by, in that order and with a row more than a limit: where two of
            its rows are the same, the question has several answers; "" where there is no order.
    """

    text: str
    sql: str
    chain: str
    difficulty: str
    tie: str = ""


def templates() -> dict[str, bool]:
    """Every template's name, and whether it is held out."""
    combinations = [(), *SINGLE, *PAIRS]
    found: dict[str, bool] = {}
    for row, output in enumerate(OUTPUTS):
        for column, filters in enumerate(combinations):
            if "label" in filters and output not in LABEL_OUTPUTS:
                continue
            if not filters and output in ("list", "share"):
                continue
            if output == "by_year" and {"year", "date"} & set(filters):
                continue  # no table has two dates
            found[f"{output}|{'+'.join(filters)}"] = (column + 2 * row) % EVERY == EVERY - 1
    for row, name in enumerate(SETS):
        for column, filters in enumerate(SET_PAIRS):
            found[f"{name}|{','.join(filters)}"] = row == column
    return found


def ask(template: str, scene: Scene) -> Question | None:
    """A question by a template about a scene; None where the table has not got what it takes."""
    output_name, _, rest = template.partition("|")
    if output_name in SETS:
        return _set_question(output_name, rest.split(","), scene)
    filters = _filters(rest.split("+") if rest else [], scene)
    if filters is None:
        return None
    output = OUTPUTS[output_name](scene, frozenset().union(*(each.uses for each in filters)))
    if output is None:
        return None
    rows = " ".join([scene.table.name, *_phrases(filters)])
    text = scene.draw.choice(output.frames).format(rows=rows)
    weight = output.weight + sum(each.weight for each in filters)
    tie = _flat(scene.table, filters, output, tie=True) if output.order else ""
    sql, chain = _flat(scene.table, filters, output), _chain(scene.table, filters, output)
    return Question(text, sql, chain, difficulty(weight), tie)


def difficulty(weight: int) -> str:
    """The word for a question's weight."""
    return "easy" if weight <= EASY else "medium" if weight <= MEDIUM else "hard" if weight <= HARD else "extra"


def _filters(names: list[str], scene: Scene) -> list[Filter] | None:
    """The filters, if the table has the columns for them, none about the same column twice."""
    found = [FILTERS[name](scene) for name in names]
    made = [each for each in found if each is not None]
    uses = [use for each in made for use in each.uses]
    return made if len(made) == len(names) and len(set(uses)) == len(uses) else None


def _phrases(filters: list[Filter]) -> list[str]:
    """Phrases with ``and`` between them, those about other tables last, as they would bind what follows."""
    phrases = [each.phrase for each in sorted(filters, key=lambda each: each.join is not None)]
    return [phrases[0], *(f"and {phrase}" for phrase in phrases[1:])] if phrases else []


def _flat(table: Table, filters: list[Filter], output: Output, tie: bool = False) -> str:
    """One SELECT; for a tie, with what it is ordered by instead of the answer, and one row more."""
    joins = list(dict.fromkeys(each for each in (*(f.join for f in filters), output.join) if each))
    prefix = f"{table.name}." if joins else ""
    expressions = {name: expression for expression, name in output.select}
    order, _, way = output.order.partition(" ")
    select = [expressions[order]] if tie else [expression for expression, _ in output.select[: output.shown]]
    parts = [f"SELECT {', '.join(select)} FROM {table.name}", *(_join(table.name, join) for join in joins)]
    if filters:
        parts.append("WHERE " + " AND ".join(each.condition for each in filters))
    if output.group:
        parts.append(output.group)
    if output.order:
        parts.append(f"ORDER BY {expressions[order]} {way}")
    if output.limit:
        parts.append(f"LIMIT {output.limit + tie}")
    return " ".join(parts).replace("{p}", prefix)


def _chain(table: Table, filters: list[Filter], output: Output) -> str:
    """A step for each filter and one for the output, then the answer."""
    steps = [_step(source, each) for source, each in zip(_sources(table.name), filters, strict=False)]
    source = f"c{len(steps)}" if steps else table.name
    if not (output.plain and steps):
        prefix = f"{source}." if output.join else ""
        named = [e if e.endswith(n) else f"{e} AS {n}" for e, n in output.select]
        parts = [f"SELECT {', '.join(named)} FROM {source}"]
        parts += [_join(source, output.join)] if output.join else []
        parts += [output.group] if output.group else []
        steps.append(" ".join(parts).replace("{p}", prefix))
        source = f"c{len(steps)}"
    final = f"SELECT {', '.join(name for _, name in output.select[: output.shown])} FROM {source}"
    final += f" ORDER BY {output.order}" if output.order else ""
    final += f" LIMIT {output.limit}" if output.limit else ""
    return _with(steps, final)


def _sources(first: str) -> list[str]:
    return [first, *(f"c{place}" for place in range(1, 9))]


def _step(source: str, each: Filter, column: str = "*") -> str:
    if each.join is None:
        return f"SELECT {column} FROM {source} WHERE {each.condition.replace('{p}', '')}"
    return f"SELECT {source}.{column} FROM {source} {_join(source, each.join)} WHERE {each.condition}"


def _join(source: str, reference: Column) -> str:
    other, key = reference.detail[0], reference.name
    return f"JOIN {other} ON {source}.{key} = {other}.{key}"


def _with(steps: list[str], final: str) -> str:
    return "WITH " + ",\n\n".join(f"c{place} AS ({step})" for place, step in enumerate(steps, 1)) + f" {final};"


def _set_question(name: str, kinds: list[str], scene: Scene) -> Question | None:
    """Which category has rows of one kind and, or but not, of another."""
    one, other = (_filters([kind], scene) for kind in kinds)
    if one is None or other is None or one == other:
        return None
    column = scene.column("cat", without=one[0].uses | other[0].uses)
    if column is None:
        return None
    table, shown = scene.table.name, column.name
    left, right = f"{table} {one[0].phrase}", f"{table} {other[0].phrase}"
    text = {
        "union": f"Which {shown} have {left} or {right}?",
        "intersection": f"Which {shown} have both {left} and {right}?",
        "difference": f"Which {shown} have {left} but no {right}?",
    }[name]
    output = Output((), ((f"{{p}}{shown}", shown),))
    sql = f" {SETS[name]} ".join(_flat(scene.table, each, output) for each in (one, other))
    steps = [_step(table, each[0], shown) for each in (one, other)]
    steps.append(f"SELECT {shown} FROM c1 {SETS[name]} SELECT {shown} FROM c2")
    return Question(text, sql, _with(steps, f"SELECT {shown} FROM c3"), "extra")
