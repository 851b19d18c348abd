"""The evaluation as one HTML page: figures, and examples with both queries, both results and the steps' scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.reward_sql.evaluation.answers import Answer
from experiments.reward_sql.evaluation.figures import STRATEGIES
from experiments.reward_sql.execution import Result
from harness.report.examples import visible
from harness.report.page import environment

CHOICE = (("wrong", 5), ("fails", 3), ("right", 4))  # how many examples of each kind, in this order
MOST_ROWS = 8


def render(name: str, sources: Sequence[str], figures: dict[str, Any], answers: Sequence[Answer]) -> str:
    """The page.

    Args:
        name: Its title.
        sources: The runs that it tells of.
        figures: See `experiments.reward_sql.evaluation.summary.summary`.
        answers: Greedy responses, from which examples are taken.
    """
    template = environment(Path(__file__).parent).get_template("report.html.j2")
    shown = [_example(answer) for answer in chosen(answers)]
    return template.render(name=name, sources=sources, figures=figures, strategies=list(STRATEGIES), examples=shown)


def chosen(answers: Sequence[Answer]) -> list[Answer]:
    """Some answers of each kind, the first ones."""
    return [answer for kind, most in CHOICE for answer in [each for each in answers if kind_of(each) == kind][:most]]


def kind_of(answer: Answer) -> str:
    """``right``, ``wrong``, or ``fails``: it has no SQL that runs."""
    if answer.right:
        return "right"
    return "wrong" if answer.result is not None and answer.result.ok else "fails"


def _example(answer: Answer) -> dict[str, Any]:
    return {
        "right": answer.right,
        "question": visible(answer.question),
        "groups": " · ".join(answer.groups.values()),
        "gold": visible(answer.gold),
        "gold_result": visible(rows_of(answer.gold_result)),
        "response": visible(answer.response),
        "steps": [(visible(text), score) for text, score in answer.steps],
        "result": visible(rows_of(answer.result) if answer.result is not None else "no SQL"),
    }


def rows_of(result: Result) -> str:
    """A result as text: its columns and first rows, or its error."""
    if not result.ok:
        return f"{result.kind}: {result.error}"
    lines = [" | ".join(map(str, values)) for values in (result.columns, *result.rows[:MOST_ROWS])]
    more = len(result.rows) - MOST_ROWS
    return "\n".join([*lines, f"… {more} more rows"] if more > 0 else lines) + ("" if result.rows else "\n(no rows)")
