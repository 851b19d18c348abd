"""The number of each group of runs: a mean with its interval, or the median of times that some runs never got to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.compare.statistics.intervals import LEVEL, Interval, mean_interval
from harness.compare.statistics.summaries import Summary
from harness.compare.statistics.times import Times, median_time
from harness.compare.statistics.trimmed import Statistic


def are_censored(groups: Sequence[Sequence[Summary]]) -> bool:
    """Whether runs never got to the threshold: the mean of those that did would be that of the fast ones."""
    return any(each.is_censored for found in groups for each in found)


def group_intervals(
    groups: Sequence[Sequence[Summary]], statistic: Statistic, rng: np.random.Generator
) -> list[Interval | None]:
    """The number of each group with its interval; medians, which have none, where times are censored.

    Args:
        groups: A summary a run.
        statistic: ``mean`` or ``iqm``.
        rng: Makes resamples.

    Returns:
        None for a group without a value, or of which fewer than half got to the threshold.
    """
    if are_censored(groups):
        return [_median(found) for found in groups]
    values = [np.array([each.value for each in found if np.isfinite(each.value)], float) for found in groups]
    return [mean_interval(there, rng, statistic) if len(there) else None for there in values]


def _median(found: Sequence[Summary]) -> Interval | None:
    known = [each for each in found if np.isfinite(each.at)]
    median = median_time(
        Times(np.array([each.at for each in known]), np.array([not each.is_censored for each in known]))
    )
    return Interval(median, np.nan, np.nan, LEVEL, "Kaplan-Meier", (len(known),)) if np.isfinite(median) else None
