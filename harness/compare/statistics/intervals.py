"""Confidence intervals over seeds: of one group t below ten runs and a bootstrap from ten on, of two groups Welch's t.

The difference of two groups is less skewed than either, so that Welch's t holds its level at any number of runs where
BCa does not: 0.95 to 0.96 on six distributions with 30 runs a side, BCa 0.88 to 0.97. No interval holds its level on a
handful of very skewed or two-peaked values (benchmarks/statistics_coverage.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.compare.statistics.bootstrap import bootstrap_bounds
from harness.compare.statistics.samples import finite
from harness.compare.statistics.trimmed import Located, Statistic, centre, difference, located

LEVEL = 0.95
LEAST_FOR_BOOTSTRAP = 10
NO_SPREAD = "equal values: the interval has no width, which is no certainty"
TWO = "two runs a side: the interval is very wide and leans on normal noise"


@dataclass(frozen=True)
class Interval:
    """An estimate between its bounds, all in the metric's unit; NaN bounds where there is no interval.

    ``runs`` counts the runs (or pairs) it rests on, of each side where there are two.
    """

    estimate: float
    low: float
    high: float
    level: float
    method: str
    runs: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def excludes(self, value: float = 0.0) -> bool:
        """Return whether the value lies outside; False where there is no interval."""
        return bool(value < self.low or value > self.high)


def mean_interval(
    values: np.ndarray, rng: np.random.Generator, statistic: Statistic = "mean", level: float = LEVEL
) -> Interval:
    """The interval of the mean, or interquartile mean, of one group; also of paired differences.

    Args:
        values: (N,), finite.
        rng: Used from ten values on.
        statistic: ``mean`` or ``iqm``.
        level: Confidence level.

    Returns:
        N = 1: no bounds. N < 10: t (Yuen's for ``iqm``). N ≥ 10: BCa at the widened level, percentiles where BCa is
        undefined.

    Raises:
        ValueError: Nothing in the sample, or values that are not finite.
    """
    sample = finite(values)
    if len(sample) == 1:
        return Interval(float(sample[0]), np.nan, np.nan, level, "none", (1,), ("one run: no interval at all",))
    found = located(sample, statistic)
    if found.error == 0 or len(sample) < LEAST_FOR_BOOTSTRAP:
        return _t_interval(found, level, "Student's t" if statistic == "mean" else "Yuen's t", (len(sample),))
    return resampled((sample,), lambda x, axis: centre(x, statistic, axis), rng, level, [located(sample)])


def difference_interval(
    a: np.ndarray,
    b: np.ndarray,
    rng: np.random.Generator,
    paired: bool = False,
    statistic: Statistic = "mean",
    level: float = LEVEL,
) -> Interval:
    """The interval of the difference a − b of two groups.

    Args:
        a: (N,), finite.
        b: (M,), finite; M = N, in the same order of seeds, if paired.
        rng: Used from ten pairs on.
        paired: Take the differences seed by seed; ``iqm`` is then the interquartile mean of the differences.
        statistic: ``mean`` or ``iqm``.
        level: Confidence level.

    Returns:
        No bounds where a side has one run; else Welch's t (Yuen's for ``iqm``), or `mean_interval` of the pairs.

    Raises:
        ValueError: An empty side, values that are not finite, or pairs of unequal length.
    """
    one, other = finite(a), finite(b)
    if paired:
        return mean_interval(differences(one, other), rng, statistic, level)
    runs = (len(one), len(other))
    if min(runs) == 1:
        estimate = float(centre(one, statistic) - centre(other, statistic))
        return Interval(estimate, np.nan, np.nan, level, "none", runs, ("one run on a side: no interval at all",))
    found = difference(one, other, statistic)
    return _t_interval(found, level, "Welch's t" if statistic == "mean" else "Yuen's t", runs)


def differences(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a − b, (N,), seed by seed.

    Raises:
        ValueError: The lengths differ.
    """
    if len(a) != len(b):
        raise ValueError(f"Pairs of {len(a)} and {len(b)} values; give the runs of the shared seeds in the same order.")
    return a - b


def resampled(
    samples: Sequence[np.ndarray],
    statistic: Callable[..., np.ndarray],
    rng: np.random.Generator,
    level: float,
    parts: list[Located],
) -> Interval:
    """The bootstrap interval of a statistic; see `bootstrap_bounds` for the arguments."""
    runs = tuple(len(sample) for sample in samples)
    if all(part.error == 0 for part in parts):
        fixed = float(statistic(*samples, axis=-1))
        return Interval(fixed, fixed, fixed, level, "none", runs, (NO_SPREAD,))
    bounds = bootstrap_bounds(samples, statistic, rng, level, parts)
    notes = () if bounds.accelerated else ("BCa is undefined for these values: percentiles",)
    method = "bootstrap BCa" if bounds.accelerated else "bootstrap percentile"
    return Interval(float(statistic(*samples, axis=-1)), bounds.low, bounds.high, level, method, runs, notes)


def _t_interval(found: Located, level: float, method: str, runs: tuple[int, ...]) -> Interval:
    """Estimate ± t · standard error, with what is to be said about it."""
    notes = (NO_SPREAD,) if found.error == 0 else (TWO,) if min(runs) == 2 else ()
    half = float(stats.t.ppf((1 + level) / 2, found.freedom) * found.error)
    estimate = float(found.estimate)
    return Interval(estimate, estimate - half, estimate + half, level, method, runs, notes)
