"""Every run's curves, thinned to what a page can draw, and the mean of a group with its band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from harness.compare.curve import Axis, curve_of
from harness.compare.run_data import RunData

LEVEL = 0.95
MOST_POINTS = 300  # of a curve
ALL_POINTS = 40_000  # of one metric over all runs; with more than 133 runs each has fewer
MOST_KNOTS = 600  # of a group's mean: above, evenly spaced ones
EVEN_KNOTS = 200
LEAST_LEFT = 3  # runs of a group that has more


@dataclass(frozen=True)
class Band:
    """The mean of a group's curves; arrays of one length.

    Attributes:
        x: Steps, tokens or seconds.
        mean: Over the runs that are measured there; straight lines between their points, nothing beyond their ends.
        low, high: The t interval of that mean; NaN where one run is left.
        runs: How many there are.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    runs: np.ndarray

    @property
    def is_sure(self) -> np.ndarray:
        """Where the band is drawn: not from the two last of more runs, whose interval says little."""
        return self.runs >= max(2, min(LEAST_LEFT, self.runs.max(initial=0)))


def band(runs: Sequence[RunData], metric: str, axis: Axis = "steps") -> Band:
    """The mean curve of a group with its 95 % band, point by point. ``curves.js`` computes the same."""
    curves = [curve for run in runs if len((curve := _curve(run, metric, axis))[0])]
    x = _knots([curve[0] for curve in curves])
    values = np.full((len(curves), len(x)), np.nan)
    for place, curve in enumerate(curves):
        values[place] = np.interp(x, *curve, left=np.nan, right=np.nan)
    count = np.isfinite(values).sum(0)
    mean = np.divide(np.nansum(values, 0), count, out=np.full(len(x), np.nan), where=count > 0)
    squares = np.nansum((values - mean) ** 2, 0)
    several = count > 1
    deviation = np.sqrt(np.divide(squares, count - 1, out=np.full(len(x), np.nan), where=several))
    half = deviation / np.sqrt(np.maximum(count, 1)) * quantiles(len(curves))[count]
    return Band(x, mean, mean - half, mean + half, count)


def quantiles(most: int) -> np.ndarray:
    """Student's t for the mean of 0, 1, … ``most`` runs; NaN for none and one."""
    return np.array([np.nan, np.nan, *stats.t.ppf((1 + LEVEL) / 2, np.arange(1, most))])


def thinned(runs: Sequence[RunData], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """The curves of each run as plain JSON.

    Returns:
        For each run ``x``, a list of places, each its steps, tokens and seconds; and ``y``, the metric's number → the
        number of its places and the values there. A long curve is the means of its consecutive points.
    """
    most = max(30, min(MOST_POINTS, ALL_POINTS // max(len(runs), 1)))
    return [_thinned(run, metrics, most) for run in runs]


def _thinned(run: RunData, metrics: Sequence[str], most: int) -> dict[str, Any]:
    places: dict[bytes, int] = {}
    x: list[list[list[float | None]]] = []
    y: dict[int, tuple[int, list[float | None]]] = {}
    for number, name in enumerate(metrics):
        values = run.metrics.get(name)
        if values is None or not (there := np.isfinite(values)).any():
            continue
        key = there.tobytes()
        if key not in places:
            places[key] = len(x)
            x.append([short(_means(axis[there], most), 5) for axis in (run.steps, run.tokens, run.times)])
        y[number] = (places[key], short(_means(values[there], most)))
    return {"x": x, "y": y}


def _means(values: np.ndarray, most: int) -> np.ndarray:
    """Means of consecutive values, at most so many."""
    if len(values) <= most:
        return np.asarray(values, float)
    edges = np.linspace(0, len(values), most + 1).astype(int)
    return np.add.reduceat(np.asarray(values, float), edges[:-1]) / np.diff(edges)


def short(values: np.ndarray, digits: int = 4) -> list[float | None]:
    """Values with few digits, whole ones as such, NaN as None: a fraction of the bytes."""
    texts = [f"{value:.{digits}g}" for value in values.tolist()]
    return [None if text == "nan" else int(text) if text.lstrip("-").isdigit() else float(text) for text in texts]


def _curve(run: RunData, metric: str, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    curve = curve_of(run, metric, axis)
    there = np.isfinite(curve.y)
    return curve.x[there], curve.y[there]


def _knots(xs: Sequence[np.ndarray]) -> np.ndarray:
    """Every x of the curves, or evenly spaced ones where these are too many."""
    every = np.unique(np.concatenate(xs)) if xs else np.empty(0)
    return every if len(every) <= MOST_KNOTS else np.linspace(every[0], every[-1], EVEN_KNOTS)
