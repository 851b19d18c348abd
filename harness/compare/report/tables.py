"""The rows of the report's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.compare.measure import measured
from harness.compare.report import words
from harness.compare.report.figures import styles
from harness.compare.report.intervals import common_scale, ends, picture, ruler
from harness.compare.sources import kin, source
from harness.compare.statistics.centres import group_intervals
from harness.compare.statistics.intervals import Interval
from harness.compare.study import SEED, Row, Study
from harness.report.scales import Scale

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True)
class Cell:
    """What a column shows, and the number that it is sorted by; NaN sorts last."""

    shown: str
    sorts: float


@dataclass(frozen=True)
class GroupRow:
    """A group in the table.

    Attributes:
        number: Of the group.
        label, states: In words.
        is_baseline: Whether the others are held against it.
        colour, dash: Of its curve.
        seeds, mean, best, steps, hours: Columns.
        bounds: The mean's interval, in words.
        picture: The interval and the runs on the scale of the column.
        notes: What was taken late or not at all.
    """

    number: int
    label: str
    is_baseline: bool
    colour: int
    dash: int
    states: str
    seeds: Cell
    mean: Cell
    bounds: str
    picture: Markup
    best: Cell
    steps: Cell
    hours: Cell
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A data source: its name, for each group its mean with the interval, and whether it is (in) what is compared."""

    name: str
    cells: tuple[str, ...]
    compared: bool


def group_rows(study: Study) -> tuple[list[GroupRow], Markup]:
    """A row a group, and the head of the column of pictures."""
    scale = common_scale(ends([row.interval for row in study.rows], [row.values for row in study.rows]))
    decimals = _decimals([row.interval for row in study.rows])
    return [_row(study, number, decimals, scale) for number in range(len(study.rows))], ruler(scale)


def _row(study: Study, number: int, decimals: int, scale: Scale | None) -> GroupRow:
    row = study.rows[number]
    colour, dash = styles(study)[number]
    known = row.values[np.isfinite(row.values)]
    mean = row.interval.estimate if row.interval else np.nan
    best = float((known.max() if study.higher else known.min()) if len(known) else np.nan)
    bounds = words.bounds(row.interval, decimals)
    steps = [run.last_step for run in row.group.runs]
    said = f"{row.group.label}: {words.value(mean, decimals)} {bounds}"
    return GroupRow(
        number=number,
        label=row.group.label,
        is_baseline=row.group.label == study.grouping.baseline.label,
        colour=colour,
        dash=dash,
        states=words.states(row.group.states),
        seeds=Cell(row.seeds, len(known)),
        mean=Cell(words.value(mean, decimals), mean),
        bounds=bounds,
        picture=picture(row.interval, row.values.tolist(), scale, colour, said),
        best=Cell(words.value(best, decimals), best),
        steps=Cell(_range(min(steps), max(steps)), max(steps)),
        hours=Cell(f"{row.group.gpu_hours:,.1f}" if row.group.gpu_hours else "–", row.group.gpu_hours),
        notes=_notes(row, shared_notes(study)),
    )


def tasks(study: Study) -> list[Task]:
    """A row a data source, where the metric is one of several; measured as the study measures."""
    names = kin({name for run in study.runs for name in run.metrics}, study.metric)
    if len(names) < 2:
        return []
    rng = np.random.default_rng(SEED)
    found = []
    for name in names:
        numbers, _ = measured([row.group.runs for row in study.rows], name, study.options.measure, study.metric_higher)
        intervals = group_intervals(numbers, study.options.statistic, rng)
        decimals = _decimals(intervals)
        cells = (f"{words.value(i.estimate, decimals)} {_known(i, decimals)}".strip() if i else "–" for i in intervals)
        found.append(Task(source(name), tuple(cells), name in (study.compared.members or (study.metric,))))
    return found


def _decimals(intervals: list[Interval | None]) -> int:
    """Decimals that all rows share: those that the median interval is worth."""
    widths = [
        one.high - one.low for one in intervals if one is not None and np.isfinite(one.low) and one.high > one.low
    ]
    return max(2, words.places(float(np.median(widths)))) if widths else 3


def _known(interval: Interval, decimals: int) -> str:
    shown = words.bounds(interval, decimals)
    return "" if shown == "–" else shown


def _range(low: int, high: int) -> str:
    if high < 0:
        return "–"
    return str(high) if low == high else f"{max(low, 0)}–{high}"


def shared_notes(study: Study) -> tuple[str, ...]:
    """What is to be said of every single run's value."""
    told = {summary.note for row in study.rows for summary in row.summaries}
    return tuple(told) if len(told) == 1 and "" not in told else ()


def _notes(row: Row, shared: Sequence[str]) -> tuple[str, ...]:
    """What is to be said of single runs' values, each once."""
    told: dict[str, list[str]] = {}
    for run, summary in zip(row.group.runs, row.summaries, strict=True):
        if summary.note and summary.note not in shared:
            told.setdefault(summary.note, []).append("?" if run.seed is None else str(run.seed))
    everyone = len(row.summaries)
    return tuple(
        f"all: {note}" if len(seeds) == everyone > 1 else f"seed {', '.join(seeds)}: {note}"
        for note, seeds in told.items()
    )
