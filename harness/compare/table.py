"""A comparison on the terminal: the groups' table, then a sentence for each comparison, then what to mind."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table
from rich.text import Text

from harness.compare.cells import HEADERS, lines_of
from harness.compare.prompts import Prompts
from harness.compare.study import Study

STYLES = {"better": "green", "worse": "red", "no difference shown": "yellow", "too few seeds": "yellow"}
RIGHT = ("seeds", "value", "best run", "p")


def render(study: Study) -> Group:
    """The whole of it."""
    return Group(_heading(study), Text(), _table(study), Text(), *_said(study), *_minded(study))


def _heading(study: Study) -> Text:
    arrow = "higher" if study.higher else "lower"
    intervals = "" if study.statistic == "median" else "; 95 % intervals"
    sources = f"{study.compared.said}; " if study.compared.said else ""
    said = f"  {sources}{study.options.measure}, {study.statistic} over seeds, {arrow} is better{intervals}"
    return Text.assemble((study.metric, "bold"), (said, "dim"))


def _table(study: Study) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in HEADERS:
        table.add_column(name, justify="right" if name in RIGHT else "left", no_wrap=name != "group")
    for line in lines_of(study):
        style = STYLES.get(line.decision, "dim" if line.is_baseline else "")
        table.add_row(*(Text(cell) for cell in line.cells[:-1]), Text(line.cells[-1], style=style))
    return table


def _said(study: Study) -> Iterator[Text]:
    """Each comparison in a sentence, what its prompts say, and what speaks against it."""
    for each in study.comparisons:
        yield Text.assemble(("● ", STYLES[each.decision]), each.sentence)
        if (prompts := study.prompts.get((each.a, each.b))) is not None:
            yield Text(f"  {over_prompts(prompts)}", style="dim")
        for warning in each.warnings:
            yield Text(f"  ! {warning}", style="yellow")
    if not study.comparisons:
        yield Text("One group: there is nothing to hold it against. Name more runs, or --by KEY.", style="yellow")


def over_prompts(found: Prompts) -> str:
    """What the prompts of a validation say, in a sentence."""
    models = found.models
    said = (
        f"over {models.prompts} prompts of step {found.step}, {found.quantity}: "
        f"{models.interval.estimate:+.3f} [{models.interval.low:.3f}, {models.interval.high:.3f}] for these models"
    )
    if found.trainings is not None:
        bounds = found.trainings.interval
        said += f"; [{bounds.low:.3f}, {bounds.high:.3f}] for other trainings and prompts too"
    if found.right is not None:
        right = found.right
        said += f"; right alone on {right.only_a} against {right.only_b}, McNemar p={right.p:.2g}"
    return said


def _minded(study: Study) -> Iterator[Text]:
    for note in study.notes:
        yield Text(f"! {note}", style="yellow")
    for finding in study.grouping.findings:
        yield Text(f"! {finding.text}", style="yellow")
