"""Intervals as small pictures on one scale: a bar from end to end, a tick at the estimate, a dot a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from markupsafe import Markup

from harness.compare.statistics.intervals import Interval
from harness.report.scales import Scale, nice_ticks, padded_range, tick_label

if TYPE_CHECKING:
    import numpy as np

WIDTH, HEIGHT, MARGIN = 240, 26, 14


def common_scale(values: Iterable[float], width: int = WIDTH) -> Scale | None:
    """A scale that holds all of these numbers; None where there is none."""
    known = [value for value in values if isfinite(value)]
    if not known:
        return None
    low, high = padded_range(known)
    return Scale(low, high, MARGIN, width - MARGIN)


def picture(interval: Interval | None, values: Sequence[float], scale: Scale | None, colour: int, said: str) -> Markup:
    """One row.

    Args:
        interval: What to draw; only the dots if None.
        values: A dot each.
        scale: Of all rows.
        colour: Number of the page's colour.
        said: The same in words, for people who do not see it.
    """
    if scale is None:
        return Markup("")
    body = marks(interval, values, scale, colour, HEIGHT / 2)
    zero = Markup("")
    if scale.low <= 0 <= scale.high:
        zero = Markup('<line class="zero" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/>').format(scale(0), HEIGHT)
    return Markup('<svg class="interval" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>').format(
        WIDTH, HEIGHT, said, zero, body
    )


def marks(interval: Interval | None, values: Sequence[float], scale: Scale, colour: int, y: float) -> Markup:
    """The bar, the dots and the tick of one row at a height."""
    drawn = Markup("")
    if interval is not None and isfinite(interval.low):
        drawn += Markup('<line class="span s{}" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(
            colour, scale(interval.low), scale(interval.high), y, y
        )
    for value in values:
        if isfinite(value):
            drawn += Markup('<circle class="run f{}" cx="{:.1f}" cy="{}" r="3"/>').format(colour, scale(value), y)
    if interval is not None and isfinite(interval.estimate):
        drawn += Markup('<line class="mean s{}" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(
            colour, scale(interval.estimate), scale(interval.estimate), y - 8, y + 8
        )
    return drawn


def ruler(scale: Scale | None) -> Markup:
    """The scale's ticks, for the head of the column."""
    if scale is None:
        return Markup("")
    ticks = [tick for tick in nice_ticks(scale.low, scale.high, 4) if scale.low <= tick <= scale.high]
    labels = Markup("").join(
        Markup('<text class="tick" x="{:.1f}" y="11" text-anchor="middle">{}</text>').format(scale(t), tick_label(t))
        for t in ticks
    )
    return Markup('<svg class="interval ruler" viewBox="0 0 {} 14" aria-hidden="true">{}</svg>').format(WIDTH, labels)


def ends(intervals: Iterable[Interval | None], values: Iterable[np.ndarray] = ()) -> list[float]:
    """Every number that a scale of these has to hold."""
    known = [end for one in intervals if one is not None for end in (one.estimate, one.low, one.high)]
    return known + [float(value) for each in values for value in each]
