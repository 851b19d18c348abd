"""Times to a threshold, where some runs never reached it: those are the slow ones, and may not be left out of a mean.

A run that did not reach it is right-censored: its time is somewhere above the last measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.compare.statistics.samples import Group, finite
from harness.compare.statistics.significance import Significance, permutation_test


@dataclass(frozen=True)
class Times:
    """Times of a group's runs, in steps, tokens or seconds.

    Args:
        at: (N,) when the threshold was reached, or when the run was last measured.
        reached: (N,) which of the two it is.
    """

    at: np.ndarray
    reached: np.ndarray

    def __post_init__(self) -> None:
        at, reached = finite(self.at, 0), np.asarray(self.reached, dtype=bool)
        if at.shape != reached.shape:
            raise ValueError(f"{len(at)} times and {len(reached)} marks of whether they were reached.")
        object.__setattr__(self, "at", at)
        object.__setattr__(self, "reached", reached)


def times_of(group: Group) -> Times:
    """A group's values as times; those that are censored as such, the others that have no value left out."""
    values = group.values
    followed = np.asarray(group.censored, float) if len(group.censored) else np.full(len(values), np.nan)
    reached = ~np.isnan(values)
    known = reached | np.isfinite(followed)
    return Times(np.where(reached, values, followed)[known], reached[known])


def followed_alike(a: Times, b: Times) -> tuple[Times, Times]:
    """Both sides up to where every run was followed that is not there: who was followed longer has no advantage."""
    ends = [each.at[~each.reached] for each in (a, b)]
    end = min((float(at.min()) for at in ends if len(at)), default=np.inf)
    cut, other = (Times(np.minimum(each.at, end), each.reached & (each.at <= end)) for each in (a, b))
    return cut, other


def median_time(times: Times) -> float:
    """Kaplan and Meier's median (`scipy.stats.ecdf`): when half of the runs had reached the threshold; NaN if never."""
    if not times.reached.any():
        return np.nan
    censored = stats.CensoredData.right_censored(times.at, ~times.reached)
    curve = stats.ecdf(censored).cdf
    by_then = np.flatnonzero(curve.probabilities >= 0.5 - 1e-12)
    return float(curve.quantiles[by_then[0]]) if len(by_then) else np.nan


def slower_test(a: Times, b: Times, rng: np.random.Generator) -> Significance:
    """Gehan's test (Biometrika 1965) by permutation: does one group take longer?

    Each run scores how many of all runs it is surely slower than, minus how many surely faster; where none is censored
    that is Wilcoxon's rank sum. Valid where censoring has nothing to do with the group: equal budgets, and no crashes.

    Args:
        a: (N,) times, N at least 2.
        b: (M,) times, M at least 2.
        rng: Used where not every permutation can be tried.

    Returns:
        A two-sided p; the sides' order does not matter.

    Raises:
        ValueError: A side with one run.
    """
    scores = gehan_scores(np.concatenate([a.at, b.at]), np.concatenate([a.reached, b.reached]))
    found = permutation_test(scores[: len(a.at)], scores[len(a.at) :], rng)
    return Significance(found.p, f"Gehan's scores, {found.method}", found.smallest)


def faster(a: Times, b: Times) -> float:
    """How often a run of a gets there before one of b: of all pairs, those that nobody can tell count half."""
    scores = gehan_scores(np.concatenate([a.at, b.at]), np.concatenate([a.reached, b.reached]))
    return float((1 - scores[: len(a.at)].sum() / (len(a.at) * len(b.at))) / 2)  # within a side they cancel


def gehan_scores(at: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """(N,) of each run: how many others it is surely slower than, minus how many it is surely faster than."""
    later = at[:, None] > at[None, :]
    beyond = (at[:, None] == at[None, :]) & ~reached[:, None] & reached[None, :]
    slower = (later | beyond) & reached[None, :]
    return (slower.sum(1) - slower.sum(0)).astype(float)
