"""A metric of a run over steps, tokens or seconds, as it was recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.compare.run_data import RunData

Axis = Literal["steps", "tokens", "seconds"]


@dataclass(frozen=True, eq=False)
class Curve:
    """A metric over an axis.

    Attributes:
        x: (K,) ascending; up to where the run has come, measured or not.
        y: (K,) the metric; NaN where it was not measured or was no finite number.
        broken: (K,) where NaN or an infinity was recorded.
    """

    x: np.ndarray
    y: np.ndarray
    broken: np.ndarray

    @property
    def is_measured(self) -> bool:
        """Whether there is a finite value."""
        return bool(np.isfinite(self.y).any())

    @property
    def last(self) -> float:
        """Where the last finite value is; NaN without one."""
        there = np.isfinite(self.y)
        return float(self.x[there][-1]) if there.any() else np.nan

    def broke_by(self, x: float = np.inf) -> float:
        """Where the last that was recorded up to x is NaN or infinite; NaN where it is a number, or nothing was."""
        recorded = np.flatnonzero((np.isfinite(self.y) | self.broken) & (self.x <= x))
        return float(self.x[recorded[-1]]) if len(recorded) and self.broken[recorded[-1]] else np.nan


def curve_of(run: RunData, metric: str, axis: Axis) -> Curve:
    """The metric of a run, without points that have no place on the axis."""
    x = np.asarray({"steps": run.steps, "tokens": run.tokens, "seconds": run.times}[axis], float)
    values = run.metrics.get(metric, np.full(len(x), np.nan))
    broken = np.isinf(values)
    broken[list(run.undefined.get(metric, ()))] = True
    there = np.isfinite(x)
    return Curve(x[there], np.where(np.isfinite(values), values, np.nan)[there], broken[there])
