"""A comparison on the terminal: the groups' table, then a sentence for each comparison, then what to mind."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.compare.cells import lines_of
from harness.compare.fitted import STYLES, Fitted
from harness.compare.sentences import beside
from harness.compare.study import Study


def render(study: Study) -> Group:
    """The whole of it."""
    return Group(_heading(study), Text(), Fitted(lines_of(study)), Text(), *_said(study), *_minded(study))


def _heading(study: Study) -> Text:
    arrow = "higher" if study.higher else "lower"
    intervals = "" if study.statistic == "median" else "; 95 % intervals"
    sources = f"{study.compared.said}; " if study.compared.said else ""
    said = f"  {sources}{study.options.measure}, {study.statistic} over seeds, {arrow} is better{intervals}"
    return Text.assemble((study.metric, "bold"), (said, "dim"))


def _said(study: Study) -> Iterator[RenderableType]:
    """Each comparison in a sentence, what else is to be said of it, and what speaks against it."""
    for each in study.comparisons:
        yield Text.assemble(("● ", STYLES[each.decision]), each.sentence)
        for line in beside(study, each):
            yield _below(line, "dim")
        for warning in each.warnings:
            yield _below(f"! {warning}", "yellow")
    if not study.comparisons:
        yield Text("One group: there is nothing to hold it against. Name more runs, or --by KEY.", style="yellow")


def _below(text: str, style: str) -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, 2), expand=False)


def _minded(study: Study) -> Iterator[Text]:
    for note in study.notes:
        yield Text(f"! {note}", style="yellow")
    for finding in study.grouping.findings:
        yield Text(f"! {finding.text}", style="yellow")
