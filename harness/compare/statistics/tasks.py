"""Scores of runs on several tasks, (N, T): their mean or interquartile mean with its interval.

The interquartile mean over all runs and tasks, and resampling task by task, are of Agarwal et al., "Deep Reinforcement
Learning at the Edge of the Statistical Precipice" (NeurIPS 2021). That resampling takes runs of different tasks for
unrelated, which holds where each task is trained by itself. One model scored on T benchmarks is one run: its row stays
together.
"""

from __future__ import annotations

import numpy as np

from harness.compare.statistics.intervals import LEAST_FOR_BOOTSTRAP, LEVEL, Interval, mean_interval, resampled
from harness.compare.statistics.trimmed import Statistic, centre, has_spread, located


def tasks_interval(
    scores_NT: np.ndarray,
    rng: np.random.Generator,
    trained_apart: bool,
    statistic: Statistic = "iqm",
    level: float = LEVEL,
) -> Interval:
    """The interval of an aggregate over runs and tasks; tasks should be on one scale.

    Args:
        scores_NT: (N, T), finite.
        rng: Chooses the resamples.
        trained_apart: Each task has its own trainings (resampled task by task); else a row is one model.
        statistic: ``mean`` or ``iqm`` over all N · T scores.
        level: Confidence level.

    Returns:
        No bounds where N = 1. Mean of rows: as `mean_interval`. Otherwise a bootstrap at any N, with a note below ten.

    Raises:
        ValueError: Another shape, or scores that are not finite.
    """
    scores = np.asarray(scores_NT, dtype=float)
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise ValueError(
            f"Scores of shape {scores.shape}; want (runs, tasks) without NaN. Leave out such runs or tasks."
        )
    runs = len(scores)
    if runs == 1 or not has_spread(scores.ravel()) or (statistic == "mean" and not trained_apart):
        return mean_interval(scores.mean(1), rng, "mean", level)
    if trained_apart:
        columns = list(scores.T)

        def pooled(*drawn: np.ndarray, axis: int) -> np.ndarray:
            return centre(np.concatenate(drawn, axis), statistic, axis)

        found = resampled(columns, pooled, rng, level, [located(column) for column in columns])
    else:

        def of_rows(drawn: np.ndarray, axis: int) -> np.ndarray:
            picked = scores[drawn.astype(int)]
            return centre(picked.reshape(*picked.shape[:-2], -1), statistic)

        found = resampled([np.arange(runs)], of_rows, rng, level, [located(scores.mean(1))])
    few = ("a bootstrap over fewer than ten runs: somewhat too narrow",) if runs < LEAST_FOR_BOOTSTRAP else ()
    return Interval(found.estimate, found.low, found.high, level, found.method, (runs,), (*found.notes, *few))
