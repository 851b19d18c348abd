"""The report's figures as SVG files of their own, with their colours inside, for papers and slides."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from harness.compare.measure import Axis
from harness.compare.report.curves import band
from harness.compare.report.intervals import common_scale, ends, marks
from harness.compare.report.quantities import label
from harness.compare.study import Row, Study
from harness.records.atomic import write_text
from harness.report.charts import HEIGHT, Series, line_chart
from harness.report.scales import Scale, nice_ticks, tick_label

#: Okabe and Ito's colours, which colour-blind readers tell apart; yellow, which white paper swallows, is darker.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#a07d00", "#7a4fa3", "#555b66")
DASHES = 6
SHOWN = 8  # groups that are drawn at first
WIDTH = 760
_ROW, _NAMES, _KEYS = 30, 300, 22
_STYLE = (
    "text{font:12px Helvetica,Arial,sans-serif;fill:#333}.title{font-size:14px;font-weight:bold}.grid{stroke:#e5e5e5}"
    ".line,.points,.faint{fill:none;stroke-width:2;stroke-linejoin:round}.band{opacity:.16}.cross{display:none}"
    ".span{stroke-width:6;opacity:.35}.mean{stroke-width:2.5}.run{opacity:.75}.dot{stroke:#fff}"
    ".d1{stroke-dasharray:9 4}.d2{stroke-dasharray:2.5 4}.d3{stroke-dasharray:11 4 2.5 4}.d4{stroke-dasharray:5 3}"
    ".d5{stroke-dasharray:14 4 2.5 4 2.5 4}"
)


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


def static_figures(study: Study, folder: Path) -> list[Path]:
    """Write the curves with their bands and the intervals as SVG files.

    Args:
        study: The comparison.
        folder: Made if need be.

    Returns:
        The files: ``curves.svg``, where a curve can be drawn, and ``intervals.svg``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    curves = curve_picture(study, study.options.measure.axis)
    made = {"curves.svg": _curves_file(study, curves) if curves else "", "intervals.svg": _intervals_file(study)}
    for name, content in made.items():
        if content:
            write_text(folder / name, content)
    return [folder / name for name, content in made.items() if content]


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


def _curves_file(study: Study, picture: Markup) -> str:
    shown, looks = shown_first(study), styles(study)
    keys = Markup("").join(
        Markup(
            '<line class="line s{} d{}" x1="46" x2="78" y1="{}" y2="{}"/><text x="86" y="{}" dy=".35em">{}</text>'
        ).format(*looks[number], y, y, y, study.rows[number].group.label)
        for place, number in enumerate(shown)
        for y in (HEIGHT + 62 + place * _KEYS,)
    )
    axis = study.options.measure.axis
    body = Markup('<svg y="32" width="{}" height="{}">{}</svg>').format(WIDTH, HEIGHT, picture)
    named = Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(WIDTH / 2, HEIGHT + 40, axis)
    title = f"{label(study.metric)}: mean of the runs, 95 % t interval of the mean at each point"
    return _file(title, HEIGHT + 62 + len(shown) * _KEYS, body + named + keys)


def _intervals_file(study: Study) -> str:
    scale = common_scale(ends([row.interval for row in study.rows], [row.values for row in study.rows]), WIDTH - _NAMES)
    if scale is None:
        return ""
    moved = Scale(scale.low, scale.high, scale.start + _NAMES, scale.end + _NAMES)
    looks = styles(study)
    body = _vertical(moved, 40 + _ROW * len(study.rows))
    for number, row in enumerate(study.rows):
        y = 50 + _ROW * number
        name = row.group.label if len(row.group.label) <= 48 else row.group.label[:47] + "…"
        body += Markup('<text x="{}" y="{}" dy=".35em" text-anchor="end">{}</text>').format(_NAMES - 6, y, name)
        body += marks(row.interval, row.values.tolist(), moved, looks[number][0], y)
    said = (
        f"{label(study.metric)}, {study.options.measure}: {study.options.statistic} with its 95 % interval, a dot a run"
    )
    return _file(said, 64 + _ROW * len(study.rows), body)


def _vertical(scale: Scale, floor: int) -> Markup:
    ticks: Sequence[float] = [t for t in nice_ticks(scale.low, scale.high) if scale.low <= t <= scale.high]
    return Markup("").join(
        Markup(
            '<line class="grid" x1="{0:.1f}" x2="{0:.1f}" y1="34" y2="{1}"/>'
            '<text x="{0:.1f}" y="{2}" text-anchor="middle">{3}</text>'
        ).format(scale(tick), floor, floor + 16, tick_label(tick))
        for tick in ticks
    )


def _file(title: str, height: int, body: Markup) -> str:
    colours = "".join(f".s{n}{{stroke:{colour}}}.f{n}{{fill:{colour}}}" for n, colour in enumerate(PALETTE))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}"><style>{2}</style>'
            '<rect width="{0}" height="{1}" fill="#fff"/><text class="title" x="12" y="20">{3}</text>{4}</svg>\n'
        ).format(WIDTH, height, Markup(_STYLE + colours), title, body)
    )


def _estimate(row: Row) -> float:
    return row.interval.estimate if row.interval is not None else float("nan")
