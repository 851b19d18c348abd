"""A sweep on the terminal: counts, and a line for each run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.launch.sweep.folder import Plan, SweepFolder
from harness.launch.sweep.ledger import Row, counts

COLOURS = {"done": "green", "running": "cyan", "failed": "red", "cancelled": "yellow", "preempted": "yellow",
           "pending": "grey50"}  # fmt: skip


def render(sweep: SweepFolder, plan: Plan, rows: Sequence[Row], most: int | None = None) -> Group:
    """The table.

    Args:
        sweep: The sweep.
        plan: Its plan.
        rows: What is true of its runs.
        most: Lines at most; runs that have come to nothing and those that are going come first then.
    """
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for name in ("run", "state", "step", "best", "left", ""):
        table.add_column(name, justify="right" if name in ("step", "best", "left") else "left", no_wrap=bool(name))
    shown = rows if most is None or len(rows) <= most else _telling(rows)[:most]
    for row in shown:
        steps = f"{row.status.step}/{row.status.total_steps}" if row.status.total_steps else str(row.status.step)
        best = "" if row.best is None else f"{row.best:.3f}"
        state = Text(row.status.state, style=COLOURS[row.status.state])
        table.add_row(row.run.label, state, steps, best, row.left, row.why or _doing(row))
    if len(shown) < len(rows):
        table.add_row(f"… and {len(rows) - len(shown)} more")
    return Group(Text(sweep.shown(), style="bold"), Text(headline(plan, rows)), table)


def _telling(rows: Sequence[Row]) -> list[Row]:
    order = {"failed": 0, "running": 1, "preempted": 2, "cancelled": 3, "pending": 4, "done": 5}
    return sorted(rows, key=lambda row: (order[row.status.state], row.run.index))


def _doing(row: Row) -> str:
    return row.status.stage if row.status.state == "running" else ""


def headline(plan: Plan, rows: Sequence[Row]) -> str:
    """``12 runs: 10 done, 1 failed, 1 running; 2 finished before``."""
    found = counts(list(rows))
    said = ", ".join(f"{found[state]} {state}" for state in COLOURS if state in found)
    return f"{len(rows)} run{'s' if len(rows) != 1 else ''}: {said or 'none'}{before(plan)}"


def before(plan: Plan) -> str:
    """``; 2 finished before``, where runs of earlier commands stand for points of this one."""
    if not plan.finished:
        return ""
    others = sum(each.get("code") == "other" for each in plan.finished)
    told = f", {others} of them with other code (--again trains anew)" if others else ""
    return f"; {len(plan.finished)} finished before{told}"


def as_json(sweep: SweepFolder, plan: Plan, rows: Sequence[Row]) -> str:
    """The same for machines."""
    runs = [
        {"index": row.run.index, "run": str(sweep.run(row.run).path), "label": row.run.label, "why": row.why,
         "left": row.left, "best": row.best, "job": row.job, **dataclasses.asdict(row.status)}
        for row in rows
    ]  # fmt: skip
    return json.dumps({"sweep": str(sweep.path), "counts": counts(list(rows)), "runs": runs, "finished": plan.finished})
