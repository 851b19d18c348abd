"""Charts as inline SVG: small, sharp at any size, coloured by the page's light or dark theme.

Each chart carries its numbers in a ``data-chart`` attribute, from which ``report.js`` shows the values under the
pointer; without the script the picture is complete all the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from harness.report.scales import Scale, bucket_means, nice_ticks, padded_range, tick_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HEIGHT = 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 30
_MOST_POINTS, _MOST_BARS = 400, 120
GREY = 7


@dataclass(frozen=True)
class Series:
    """One line or row of points.

    Args:
        label: Its name in the legend.
        xs: Steps, ascending.
        ys: A value for each; None where there is none, which leaves a gap.
        colour: Number of the page's colour, 0 to 7.
        kind: ``line``, ``faint`` (a thin line behind another), ``points`` (joined, each marked) or ``band``.
        bars: Lower and upper ends of an interval about each value, for ``points`` and ``band``.
        dash: Number of the page's dash pattern, 0 (none) to 5.
    """

    label: str
    xs: Sequence[float]
    ys: Sequence[float | None]
    colour: int = 0
    kind: str = "line"
    bars: Sequence[tuple[float, float]] | None = None
    dash: int = 0


def line_chart(title: str, series: Sequence[Series], last_step: float, width: int = 520) -> Markup:
    """A chart of values over training steps.

    Args:
        title: What it shows, for people who do not see it.
        series: What to draw, the last on top.
        last_step: Where the step axis ends; it begins at 0, so that all charts of a page line up.
        width: Width of its coordinate system; the page scales it.

    Returns:
        The ``<svg>``; empty where no series has a value.
    """
    series = [_thinned(one) for one in series]
    known = [y for one in series for y in one.ys if y is not None]
    known += [end for one in series for pair in one.bars or () for end in pair]
    if not known:
        return Markup("")
    ticks = nice_ticks(*padded_range(known))
    x, y = _x_scale((0, last_step), width), _y_scale(ticks)
    drawn = Markup("").join(_drawn(one, x, y) for one in series)
    read = (one for one in series if one.kind != "band")
    data = [{"l": one.label, "c": one.colour, "x": list(one.xs), "y": _short(one.ys)} for one in read]
    return _svg(title, width, _axes(x, y, ticks, width) + drawn, x, data)


def stacked_chart(
    title: str, xs: Sequence[float], parts: Mapping[str, Sequence[float | None]], width: int = 1080
) -> Markup:
    """Bars over training steps, each stacked from ``parts`` in their order.

    Args:
        title: What it shows, for people who do not see it.
        xs: Steps, ascending.
        parts: Name to one value a step, bottom first; coloured as `part_colours` says.
        width: Width of its coordinate system.
    """
    steps = [x or 0.0 for x in bucket_means(list(xs), _MOST_BARS)]
    columns = {name: [v or 0.0 for v in bucket_means(values, _MOST_BARS)] for name, values in parts.items()}
    totals = [sum(column[index] for column in columns.values()) for index in range(len(steps))]
    if not totals or max(totals) <= 0:
        return Markup("")
    ticks = nice_ticks(0.0, max(totals))
    spacing = (steps[-1] - steps[0]) / max(1, len(steps) - 1) or 1.0
    x, y = _x_scale((steps[0] - spacing / 2, steps[-1] + spacing / 2), width), _y_scale(ticks)
    bar = min(40.0, (x(spacing) - x(0)) * 0.82)
    floor, drawn = [0.0] * len(steps), Markup("")
    colours = part_colours(columns)
    for name, column in columns.items():
        boxes = "".join(
            f"M{x(step) - bar / 2:.1f} {y(base):.1f}h{bar:.1f}V{y(base + value):.1f}h{-bar:.1f}z"
            for step, base, value in zip(steps, floor, column, strict=True)
            if value > 0
        )
        drawn += Markup('<path class="bar f{}" d="{}"/>').format(colours[name], boxes)
        floor = [base + value for base, value in zip(floor, column, strict=True)]
    data = [{"l": n, "c": colours[n], "x": _short(steps), "y": _short(v)} for n, v in reversed(columns.items())]
    return _svg(title, width, _axes(x, y, ticks, width) + drawn, x, data)


def part_colours(names: Iterable[str]) -> dict[str, int]:
    """The page's colours for the parts of a whole: the first seven in order, grey for what is ``other``."""
    return {name: GREY if name == "other" else position for position, name in enumerate(names)}


def _svg(title: str, width: int, body: Markup, x: Scale, data: list[dict[str, Any]]) -> Markup:
    chart = {"low": x.low, "high": x.high, "start": x.start, "end": x.end, "series": data}
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" data-chart="{}">{}'
        '<line class="cross" y1="{}" y2="{}" visibility="hidden"/></svg>'
    ).format(width, HEIGHT, title, json.dumps(chart, separators=(",", ":")), body, _TOP, HEIGHT - _BOTTOM)


def _axes(x: Scale, y: Scale, ticks: Sequence[float], width: int) -> Markup:
    parts = []
    for tick in ticks:
        height = f"{y(tick):.1f}"
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_LEFT, width - _RIGHT, height, height)
        )
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" dy=".32em" text-anchor="end">{}</text>').format(
                _LEFT - 8, height, tick_label(tick)
            )
        )
    whole = [t for t in nice_ticks(x.low, x.high, max(5, width // 85)) if t == int(t) and x.low <= t <= x.high]
    parts += [
        Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
            x(t), HEIGHT - 10, tick_label(t)
        )
        for t in whole
    ]
    return Markup("").join(parts)


def _drawn(one: Series, x: Scale, y: Scale) -> Markup:
    if one.kind == "band":
        return Markup('<path class="band f{}" d="{}"/>').format(one.colour, _outline(one, x, y))
    points = [(x(step), y(value)) if value is not None else None for step, value in zip(one.xs, one.ys, strict=True)]
    known = [point for point in points if point]
    name = "line" if one.kind == "line" else one.kind
    dash = f" d{one.dash}" if one.dash else ""
    drawn = Markup('<path class="{} s{}{}" d="{}"/>').format(name, one.colour, dash, _path(points))
    if one.kind == "points":
        for step, (low, high) in zip(one.xs, one.bars or (), strict=False):
            drawn += Markup('<path class="whisker s{}" d="M{:.1f} {:.1f}V{:.1f}"/>').format(
                one.colour, x(step), y(low), y(high)
            )
    if one.kind == "points" or len(known) == 1:
        for across, up in known:
            drawn += Markup('<circle class="dot f{}" cx="{:.1f}" cy="{:.1f}" r="4"/>').format(one.colour, across, up)
    return drawn


def _outline(one: Series, x: Scale, y: Scale) -> str:
    """The area between the ends of the bars."""
    ends = list(zip(one.xs, one.bars or (), strict=True))
    there = [(x(step), y(low)) for step, (low, _) in ends]
    back = [(x(step), y(high)) for step, (_, high) in reversed(ends)]
    return _path([*there, *back]) + "z" if ends else ""


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """A polyline that is broken where a point is missing."""
    path, pen_down = [], False
    for point in points:
        if point is not None:
            path.append(f"{'L' if pen_down else 'M'}{point[0]:.1f} {point[1]:.1f}")
        pen_down = point is not None
    return "".join(path)


def _thinned(one: Series) -> Series:
    """A long series as the means of consecutive steps: more points than pixels only weigh the page down."""
    if len(one.xs) <= _MOST_POINTS or one.kind == "band":
        return one
    xs = [x or 0.0 for x in bucket_means(list(one.xs), _MOST_POINTS)]
    return Series(one.label, _rounded(xs), bucket_means(one.ys, _MOST_POINTS), one.colour, one.kind, None, one.dash)


def _x_scale(values: Iterable[float], width: int) -> Scale:
    known = list(values)
    low, high = min(known), max(known)
    return Scale(low, high if high > low else low + 1, _LEFT, width - _RIGHT)


def _y_scale(ticks: Sequence[float]) -> Scale:
    return Scale(ticks[0], ticks[-1], HEIGHT - _BOTTOM, _TOP)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value) for value in values]


def _short(values: Sequence[float | None]) -> list[float | None]:
    """Values with four significant digits: what a person can read off, in a fraction of the bytes."""
    return [None if value is None else float(f"{value:.4g}") for value in values]


def legend(names: Sequence[tuple[str, int, str]]) -> Markup:
    """A legend: label, colour number and kind (``line``, ``faint``, ``points`` or ``box``) of each entry."""
    entries = (
        Markup('<span class="key"><i class="k-{} b{}"></i>{}</span>').format(kind, colour, escape(label))
        for label, colour, kind in names
    )
    return Markup('<div class="legend">{}</div>').format(Markup("").join(entries))
