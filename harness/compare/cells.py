"""A comparison as rows of plain cells, which the terminal, Markdown, LaTeX and CSV show each in their way."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isfinite, log10

import numpy as np

from harness.compare.statistics.verdict import Comparison
from harness.compare.study import Row, Study

HEADERS = ("group", "seeds", "value", "interval", "best run", "difference", "p", "verdict")


@dataclass(frozen=True)
class Line:
    """A group's line.

    Attributes:
        cells: Texts under `HEADERS`; empty where there is nothing to say.
        decision: Of the comparison with the baseline; empty for the baseline itself and where pairs are not with it.
        is_baseline: Whether it is the baseline.
    """

    cells: tuple[str, ...]
    decision: str = ""
    is_baseline: bool = False


def lines_of(study: Study) -> list[Line]:
    """A line for each group, in the grouping's order."""
    baseline = study.grouping.baseline.label
    found = {each.a: each for each in study.comparisons if each.b == baseline}
    return [_line(study, row, found.get(row.group.label), row.group.label == baseline) for row in study.rows]


def _line(study: Study, row: Row, against: Comparison | None, is_baseline: bool) -> Line:
    there = row.values[np.isfinite(row.values)]
    places = _places(row)
    value = interval = best = ""
    if row.interval is not None:
        value = f"{row.interval.estimate:.{places}f}"
        bounds = row.interval.low, row.interval.high
        alone = "one run" if row.interval.runs == (1,) else ""
        interval = f"[{bounds[0]:.{places}f}, {bounds[1]:.{places}f}]" if isfinite(bounds[0]) else alone
    if len(there):
        best = f"{(there.max() if study.higher else there.min()):.{places}f}"
    difference, p, verdict = ("", "", "baseline") if is_baseline else _against(against)
    label = row.group.label
    return Line(
        (label, row.seeds, value, interval, best, difference, p, verdict),
        against.decision if against else "",
        is_baseline,
    )


def _against(found: Comparison | None) -> tuple[str, str, str]:
    if found is None:
        return "", "", ""
    width = found.interval.high - found.interval.low
    places = _digits(width) if isfinite(width) and width > 0 else 0 if found.reached else 3
    difference = f"{found.interval.estimate:+.{places}f}" if isfinite(found.interval.estimate) else ""
    if difference and isfinite(found.interval.low):
        difference += f" [{found.interval.low:.{places}f}, {found.interval.high:.{places}f}]"
    p = "" if not isfinite(found.p_holm) else "<0.001" if found.p_holm < 0.001 else f"{found.p_holm:.3f}"
    return difference, p, found.decision


def _places(row: Row) -> int:
    """Decimal places that show two digits of the interval's width."""
    if row.interval is None:
        return 3
    width = row.interval.high - row.interval.low
    scale = width if isfinite(width) and width > 0 else abs(row.interval.estimate) / 10
    return _digits(scale) if isfinite(scale) and scale > 0 else 3


def _digits(scale: float) -> int:
    return min(max(0, 1 - floor(log10(scale))), 6)
