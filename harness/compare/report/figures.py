"""How a comparison's groups look in every picture, and the curves that the page shows at first."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from harness.compare.curve import Axis
from harness.compare.report.curves import band
from harness.compare.report.quantities import label
from harness.compare.study import Row, Study
from harness.report.charts import Series, line_chart

#: Okabe and Ito's colours, which colour-blind readers tell apart; yellow, which white paper swallows, is darker.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#a07d00", "#7a4fa3", "#555b66")
DASHES = 6
SHOWN = 8  # groups that are drawn at first
WIDTH = 760


def styles(study: Study) -> list[tuple[int, int]]:
    """Colour and dash of each group: 24 groups differ in the pair, those that are drawn at first in colour alone."""
    first = shown_first(study)
    order = [*first, *(number for number in range(len(study.rows)) if number not in first)]
    place = {number: index for index, number in enumerate(order)}
    return [(place[n] % len(PALETTE), place[n] % DASHES) for n in range(len(study.rows))]


def shown_first(study: Study) -> list[int]:
    """The numbers of the groups that are drawn at first: the baseline, then the best."""
    rows = study.rows
    base = next(n for n, row in enumerate(rows) if row.group.label == study.grouping.baseline.label)
    known = [n for n, row in enumerate(rows) if n != base and row.interval is not None]
    known.sort(key=lambda n: -_estimate(rows[n]) if study.higher else _estimate(rows[n]))
    return [base, *sorted(known[: SHOWN - 1])]


def curve_picture(study: Study, axis: Axis) -> Markup:
    """Means with bands of the groups that are shown first; empty where nothing was measured over the axis."""
    series: list[Series] = []
    looks = styles(study)
    for number in shown_first(study):
        row = study.rows[number]
        found = band(row.group.runs, study.metric, axis)
        colour, dash = looks[number]
        sure = np.flatnonzero(found.is_sure).tolist()
        bars = [(float(found.low[n]), float(found.high[n])) for n in sure]
        if bars:
            series.insert(0, Series("", found.x[sure].tolist(), [None] * len(sure), colour, "band", bars))
        if len(found.x):
            series.append(Series(row.group.label, found.x.tolist(), found.mean.tolist(), colour, "line", None, dash))
    last = max((float(one.xs[-1]) for one in series), default=0.0)
    return line_chart(f"{label(study.metric)} over {axis}", series, last, WIDTH) if last > 0 else Markup("")


def _estimate(row: Row) -> float:
    return row.interval.estimate if row.interval is not None else float("nan")
