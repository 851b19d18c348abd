"""One number from a run's curve: final, best, area, at a budget, until a threshold.

A curve is x, ascending (steps, tokens or seconds), and y, the metric, NaN where it was not measured. A value that the
curve does not hold is NaN with a reason; nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Summary:
    """A number of a curve, in y's unit (`to_threshold`: x's); NaN where there is none, and ``note`` says why.

    ``at`` is where it was taken, in x's unit; of a threshold never reached, where the curve was last measured.
    ``used`` points have a value, ``missing`` have none. ``absent`` says in a word or two why a run has no number.
    """

    value: float
    at: float
    used: int
    missing: int
    note: str = ""
    absent: str = ""

    @property
    def is_censored(self) -> bool:
        """Return whether the threshold was not reached by ``at``: no number, but more is known than nothing."""
        return bool(np.isnan(self.value) and np.isfinite(self.at))


@dataclass(frozen=True)
class _Curve:
    """The measured points, and where the run ended."""

    x: np.ndarray
    y: np.ndarray
    end: float
    missing: int

    def summary(self, value: float, at: float, note: str = "") -> Summary:
        """A number of this curve."""
        return Summary(float(value), float(at), len(self.x), self.missing, note)


def final_value(x: np.ndarray, y: np.ndarray, last: int = 1) -> Summary:
    """The mean of the last measured values.

    Args:
        x: (K,) ascending.
        y: (K,), NaN where not measured.
        last: How many values to average.

    Returns:
        A note where the run went on after the last measurement, or has fewer than ``last``.

    Raises:
        ValueError: The shapes differ or x does not ascend; so do the others here.
    """
    curve = _curve(x, y)
    if not len(curve.x):
        return curve.summary(np.nan, np.nan, "never measured")
    late = f"last measured at {curve.x[-1]:g} of {curve.end:g}" if curve.x[-1] < curve.end else ""
    few = f"only {len(curve.x)} of the last {last} values" if len(curve.x) < last else ""
    return curve.summary(curve.y[-last:].mean(), curve.x[-1], "; ".join(filter(None, (late, few))))


def best_value(x: np.ndarray, y: np.ndarray, higher_is_better: bool = True) -> Summary:
    """The best measured value and where it was. It is too good by the noise: compare runs measured equally often."""
    curve = _curve(x, y)
    if not len(curve.x):
        return curve.summary(np.nan, np.nan, "never measured")
    best = int(curve.y.argmax() if higher_is_better else curve.y.argmin())
    return curve.summary(curve.y[best], curve.x[best])


def common_range(curves: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """The largest range of x over which every curve is measured: (start, end).

    Raises:
        ValueError: There is none.
    """
    measured = [_curve(x, y).x for x, y in curves]
    if not measured or not all(len(x) for x in measured):
        raise ValueError("A curve without a value; leave it out, and say so.")
    start, end = max(float(x[0]) for x in measured), min(float(x[-1]) for x in measured)
    if start >= end:
        raise ValueError(f"The curves share no range of x: one begins at {start:g}, one ends at {end:g}.")
    return start, end


def area_under_curve(x: np.ndarray, y: np.ndarray, start: float, end: float, points: int = 201) -> Summary:
    """The mean height of the curve between two x: trapezoids over a grid that all compared curves share.

    Args:
        x: (K,) ascending.
        y: (K,); between measured points a straight line is taken.
        start: Where to begin, in x's unit.
        end: Where to end; see `common_range`.
        points: Points of the grid.

    Returns:
        The area divided by end − start, so that it is in y's unit; NaN where the curve is not measured on both sides.
    """
    curve = _curve(x, y)
    if not start < end:
        raise ValueError(f"An area from {start:g} to {end:g}.")
    if not len(curve.x) or curve.x[0] > start or curve.x[-1] < end:
        span = f"{curve.x[0]:g} to {curve.x[-1]:g}" if len(curve.x) else "nowhere"
        return curve.summary(np.nan, np.nan, f"measured {span}, wanted {start:g} to {end:g}")
    grid = np.linspace(start, end, points)
    return curve.summary(np.trapezoid(np.interp(grid, curve.x, curve.y), grid) / (end - start), end)


def value_at(x: np.ndarray, y: np.ndarray, budget: float) -> Summary:
    """What a run had to show once a budget of steps, tokens or seconds was spent: the last value measured by then.

    Returns:
        NaN where the run ended before the budget did, or nothing was measured by then.
    """
    curve = _curve(x, y)
    within = curve.x <= budget
    if curve.end < budget or not within.any():
        why = f"the run ended at {curve.end:g}" if curve.end < budget else "nothing measured by then"
        return curve.summary(np.nan, np.nan, f"{why}, the budget is {budget:g}")
    last = int(np.flatnonzero(within)[-1])
    return curve.summary(curve.y[last], curve.x[last])


def to_threshold(x: np.ndarray, y: np.ndarray, threshold: float, higher_is_better: bool = True) -> Summary:
    """The first x at which the metric was measured at the threshold or beyond.

    Returns:
        NaN where it never was: the time is then right-censored at ``at``, the last measurement. Do not average over the
        runs that made it; `times` compares such groups.
    """
    curve = _curve(x, y)
    reached = np.flatnonzero(curve.y >= threshold if higher_is_better else curve.y <= threshold)
    if len(reached):
        return curve.summary(curve.x[reached[0]], curve.x[reached[0]])
    last = curve.x[-1] if len(curve.x) else np.nan
    return curve.summary(np.nan, last, f"{threshold:g} not reached by {last:g}" if len(curve.x) else "never measured")


def _curve(x: np.ndarray, y: np.ndarray) -> _Curve:
    """Check a curve and keep its measured points."""
    xs, ys = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if xs.ndim != 1 or xs.shape != ys.shape:
        raise ValueError(f"A curve of shapes {xs.shape} and {ys.shape}; want two of one dimension and equal length.")
    if not np.isfinite(xs).all() or (np.diff(xs) < 0).any():
        raise ValueError("x has to be finite and ascending.")
    there = np.isfinite(ys)
    return _Curve(xs[there], ys[there], float(xs[-1]) if len(xs) else np.nan, int((~there).sum()))
