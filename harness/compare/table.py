"""A comparison on the terminal: the groups' table, then a sentence for each comparison, then what to mind."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from harness.compare.cells import lines_of
from harness.compare.fitted import STYLES, Fitted
from harness.compare.prompts import Prompts
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
    """Each comparison in a sentence, what its prompts say, and what speaks against it."""
    for each in study.comparisons:
        yield Text.assemble(("● ", STYLES[each.decision]), each.sentence)
        if (prompts := study.prompts.get((each.a, each.b))) is not None:
            yield _below(over_prompts(prompts), "dim")
        for warning in each.warnings:
            yield _below(f"! {warning}", "yellow")
    if not study.comparisons:
        yield Text("One group: there is nothing to hold it against. Name more runs, or --by KEY.", style="yellow")


def _below(text: str, style: str) -> Padding:
    return Padding(Text(text, style=style), (0, 0, 0, 2), expand=False)


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
