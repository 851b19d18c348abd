"""How large is the difference, apart from whether it is there: P(improvement), Cliff's delta and Hedges' g."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import optimize, special, stats

from harness.compare.statistics.intervals import LEVEL, Interval
from harness.compare.statistics.samples import finite
from harness.compare.statistics.trimmed import has_spread


def probability_of_improvement(a: np.ndarray, b: np.ndarray, level: float = LEVEL) -> Interval:
    """P(X > Y) + ½ P(X = Y) for a run X of a and a run Y of b, whichever their seeds.

    The estimate is Mann and Whitney's U / (N M). The interval is Newcombe's method 5 (Statistics in Medicine 2006, part
    2), a score interval like Wilson's: it keeps its width where the groups do not overlap, where a bootstrap has none.

    Args:
        a: (N,), finite.
        b: (M,), finite.
        level: Confidence level.

    Returns:
        A probability between bounds in [0, 1]; no bounds where a side has one run.

    Raises:
        ValueError: An empty side, or values that are not finite.
    """
    one, other = finite(a), finite(b)
    n, m = len(one), len(other)
    theta = float(stats.mannwhitneyu(one, other, method="asymptotic").statistic) / (n * m)
    if min(n, m) == 1:
        return Interval(theta, np.nan, np.nan, level, "none", (n, m), ("one run on a side: no interval at all",))
    z = stats.norm.ppf((1 + level) / 2)
    more = (n + m) / 2 - 1

    def gap(true: float) -> float:
        spread = true * (1 - true) / (n * m) * (1 + more * ((1 - true) / (2 - true) + true / (1 + true)))
        return (theta - true) ** 2 - z**2 * spread

    edge = 1e-12  # 0 and 1 are roots themselves where the groups do not overlap
    low = 0.0 if theta == 0 else _root(gap, 0.0, min(theta, 1 - edge))
    high = 1.0 if theta == 1 else _root(gap, max(theta, edge), 1.0)
    return Interval(theta, low, high, level, "Mann-Whitney, Newcombe's method 5", (n, m))


def cliffs_delta(a: np.ndarray, b: np.ndarray, level: float = LEVEL) -> Interval:
    """Cliff's delta, P(X > Y) − P(X < Y) in [−1, 1] (Psychological Bulletin 1993): twice P(improvement) minus one.

    Raises:
        ValueError: As `probability_of_improvement`.
    """
    found = probability_of_improvement(a, b, level)
    low, high = 2 * found.low - 1, 2 * found.high - 1
    return Interval(2 * found.estimate - 1, low, high, level, found.method, found.runs, found.notes)


def hedges_g(a: np.ndarray, b: np.ndarray, paired: bool = False, level: float = LEVEL) -> Interval:
    """Hedges' g: the difference of means in pooled standard deviations, without the bias of small samples.

    g = J(N + M − 2) · (mean a − mean b) / s, s² the pooled variance, J as in `small_sample_factor` (Hedges 1981). The
    interval inverts the noncentral t (Cumming and Finch 2001; `scipy.special.nctdtrinc`). Of pairs it is g ± t √V with
    V = J² (1/N + d²/2N) · 2 (1 − r), r the correlation (Borenstein et al., Introduction to Meta-Analysis, chapter 4,
    who take z for t: that covers 87 % at five pairs).

    Args:
        a: (N,), finite.
        b: (M,), finite; M = N, in the same order of seeds, if paired.
        paired: Equal rows have equal seeds. The estimate is the same (Goulet-Pelletier and Cousineau 2018), the bounds
            are not.
        level: Confidence level.

    Returns:
        Standard deviations. NaN, with a note, where a side has one run or there is no spread to measure by.

    Raises:
        ValueError: An empty side, values that are not finite, or pairs of unequal length.
    """
    one, other = finite(a), finite(b)
    n, m = len(one), len(other)
    if paired and n != m:
        raise ValueError(f"Pairs of {n} and {m} values.")
    if min(n, m) == 1 or not has_spread(one - one.mean(), other - other.mean()):
        why = "one run on a side" if min(n, m) == 1 else "all values of a side are equal"
        return Interval(np.nan, np.nan, np.nan, level, "none", (n, m), (f"{why}: no standard deviation",))
    d = float((one.mean() - other.mean()) / pooled_deviation(one, other))
    if paired:
        return _paired_g(d, one, other, level)
    freedom, scale = n + m - 2, np.sqrt(n * m / (n + m))
    factor = small_sample_factor(freedom)
    low, high = special.nctdtrinc(freedom, [(1 + level) / 2, (1 - level) / 2], d * scale) / scale
    return Interval(factor * d, float(factor * low), float(factor * high), level, "Hedges' g, noncentral t", (n, m))


def pooled_deviation(a: np.ndarray, b: np.ndarray) -> float:
    """Return the root of the two variances' mean, weighted by their degrees of freedom."""
    squares = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    return float(np.sqrt(squares / (len(a) + len(b) - 2)))


def small_sample_factor(freedom: float) -> float:
    """Hedges' J = Γ(ν/2) / (√(ν/2) Γ((ν−1)/2)), about 1 − 3/(4ν − 1), for ν above 1."""
    return float(np.exp(special.gammaln(freedom / 2) - special.gammaln((freedom - 1) / 2)) / np.sqrt(freedom / 2))


def _paired_g(d: float, a: np.ndarray, b: np.ndarray, level: float) -> Interval:
    """The interval of g for pairs."""
    n = len(a)
    factor = small_sample_factor(2 * n - 2)
    r = float(np.corrcoef(a, b)[0, 1]) if has_spread(a) and has_spread(b) else 0.0
    half = float(stats.t.ppf((1 + level) / 2, n - 1) * np.sqrt((1 / n + d**2 / (2 * n)) * 2 * (1 - r)))
    return Interval(factor * d, factor * (d - half), factor * (d + half), level, "Hedges' g, pairs", (n, n))


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """The zero of a function between two points."""
    return float(optimize.brentq(function, low, high, xtol=1e-10))
