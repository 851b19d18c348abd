"""The panels of a report in W&B: curves by theme, the sweep at a glance, and the keys that differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.compare.keys import shown
from harness.compare.report.parallel import is_large
from harness.compare.report.quantities import label, shown_metrics
from harness.compare.study import Study
from harness.config.words import short_keys

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import LinePlot, ParallelCoordinatesPlot

WIDE, HIGH, ACROSS = 8, 6, 3  # W&B's grid has 24 columns
COMPARED = "What is compared"
#: Heading → what is in the names of its metrics, the first that fits; the rest is how the optimisation went.
THEMES = {
    COMPARED: r"val-",
    "Reward": r"reward|score",
    "Length and entropy": r"length|entropy",
    "Timings": r"timing|perf/|seconds",
    "Optimisation": r"",
}


def themes(study: Study) -> dict[str, list[str]]:
    """Heading → metrics; the metric that is compared comes first, of a mean over sources, which W&B has not, these."""
    found: dict[str, list[str]] = {COMPARED: [*(study.compared.members or (study.metric,))]}
    for name in shown_metrics(study):
        if name != study.metric and name not in found[COMPARED]:
            found.setdefault(next(title for title, words in THEMES.items() if re.search(words, name)), []).append(name)
    return {title: found[title] for title in THEMES if title in found}


def line_plots(study: Study, metrics: Sequence[str]) -> list[LinePlot]:
    """A panel a metric: a line a group, its runs' mean, with one standard error about it."""
    from wandb_workspaces.reports.v2 import Layout, LinePlot

    seconds = study.options.measure.axis == "seconds"
    return [
        LinePlot(
            title=label(name),
            x="RelativeTime(Process)" if seconds else "Step",
            y=[name],
            groupby_aggfunc="mean",
            groupby_rangefunc="stderr",
            max_runs_to_show=max(10, len(study.runs)),
            layout=Layout(x=number % ACROSS * WIDE, y=number // ACROSS * HIGH, w=WIDE, h=HIGH),
        )
        for number, name in enumerate(metrics)
    ]


def parallel_plot(study: Study) -> list[ParallelCoordinatesPlot]:
    """An axis a key and one for the metric's last value; none for a small sweep, as in the report on the disk."""
    from wandb_workspaces.reports.v2 import Config, Layout, ParallelCoordinatesPlot, SummaryMetric
    from wandb_workspaces.reports.v2 import ParallelCoordinatesPlotColumn as Column

    if not is_large(study) or not (keys := deciding_keys(study)):
        return []
    columns = [Column(Config(key), display_name=name) for key, name in zip(keys, short_keys(keys), strict=True)]
    last = [Column(SummaryMetric(name), display_name=label(name)) for name in study.compared.members or (study.metric,)]
    return [ParallelCoordinatesPlot(columns=[*columns, *last], layout=Layout(w=WIDE * ACROSS, h=HIGH + 4))]


def deciding_keys(study: Study) -> list[str]:
    """Keys of the resolved configuration, which W&B has, that stand for what was swept.

    A group's choice, such as ``algorithm=dapo``, is no key in W&B: the first key stands for it that is the same within
    every group and not between them.
    """
    flats = [run.settings.flat for run in study.runs]
    swept = [key for key in study.grouping.keys if all(key in flat for flat in flats)]
    if len(swept) == len(study.grouping.keys):
        return swept
    known = sorted({key for flat in flats for key in flat}, key=lambda key: (key.count("."), key))
    differing = [key for key in known if key not in swept and _tells_apart(study, key)]
    return [*swept, *differing[: len(study.grouping.keys) - len(swept)]]


def _tells_apart(study: Study, key: str) -> bool:
    found = [{shown(run.settings.flat.get(key)) for run in row.group.runs} for row in study.rows]
    return all(len(values) == 1 for values in found) and len(set.union(*found)) > 1
