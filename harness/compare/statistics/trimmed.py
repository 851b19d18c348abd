"""Means and trimmed means with their standard errors: Student's, Welch's and Yuen's t in one formula.

Trimming 0 gives the mean and Welch's t (Biometrika 1947), trimming 0.25 the interquartile mean and Yuen's t (Biometrika
1974). SciPy has the two-sample test (`scipy.stats.ttest_ind` with ``trim``), but neither the interval of one trimmed
mean with the same standard error nor a cheap statistic for many permutations at once.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

Statistic = Literal["mean", "iqm"]
ROUNDING = 1e-12  # relative to the values
TRIM: dict[Statistic, float] = {"mean": 0.0, "iqm": 0.25}


def error_factor(n: int, statistic: Statistic = "mean") -> tuple[float, int]:
    """What the (winsorised) deviation of n values is multiplied by for the standard error; and how many are kept."""
    kept = n - 2 * int(TRIM[statistic] * n)
    return float(np.sqrt((n - 1) / (kept * (kept - 1)))), kept


class Located(NamedTuple):
    """An estimate, its standard error in the same unit, and the degrees of freedom of the latter."""

    estimate: np.ndarray
    error: np.ndarray
    freedom: np.ndarray


def centre(values: np.ndarray, statistic: Statistic, axis: int = -1) -> np.ndarray:
    """Return the mean or the interquartile mean along an axis (`scipy.stats.trim_mean`)."""
    if statistic == "mean":
        return np.mean(values, axis=axis)  # which a trimmed mean sorts for
    return stats.trim_mean(values, TRIM[statistic], axis=axis)


def located(values: np.ndarray, statistic: Statistic = "mean") -> Located:
    """The estimate of each sample with its standard error.

    Args:
        values: (…, N), N at least 2.
        statistic: ``mean`` or ``iqm``.

    Returns:
        Arrays of shape (…); the error is exactly 0 where the values it rests on differ by no more than rounding.
    """
    ordered = np.sort(values, axis=-1)
    n = ordered.shape[-1]
    factor, kept = error_factor(n, statistic)
    cut = (n - kept) // 2
    estimate = ordered[..., cut : n - cut].mean(-1)
    low, high = ordered[..., cut, None], ordered[..., n - cut - 1, None]
    error = np.clip(ordered, low, high).std(-1, ddof=1) * factor
    rounding = ROUNDING * np.maximum(np.abs(low), np.abs(high))
    error = np.where((high - low <= rounding)[..., 0], 0.0, error)
    return Located(estimate, error, np.full(estimate.shape, kept - 1.0))


def difference(a: np.ndarray, b: np.ndarray, statistic: Statistic = "mean") -> Located:
    """The difference a − b of independent samples, its standard error and Welch's degrees of freedom.

    Args:
        a: (…, N), N at least 2.
        b: (…, M), M at least 2.
        statistic: ``mean`` or ``iqm``.

    Returns:
        Arrays of shape (…); where both samples have no spread the degrees of freedom are 1.
    """
    of_a, of_b = located(a, statistic), located(b, statistic)
    error = np.hypot(of_a.error, of_b.error)
    return Located(of_a.estimate - of_b.estimate, error, satterthwaite([of_a, of_b]))


def satterthwaite(parts: list[Located]) -> np.ndarray:
    """Degrees of freedom of the sum of independent estimates (Satterthwaite, Biometrics Bulletin 1946)."""
    variances = [part.error**2 for part in parts]
    below = sum(v**2 / part.freedom for v, part in zip(variances, parts, strict=True))
    above = sum(variances) ** 2
    return np.divide(above, below, out=np.ones_like(np.asarray(above)), where=np.asarray(below) > 0)


def has_spread(*samples: np.ndarray) -> bool:
    """Return whether any of the samples holds two values that differ by more than rounding."""
    return any(bool(np.ptp(s) > ROUNDING * np.abs(s).max()) for s in samples)
