"""Which number of a run's curve counts, taken at equal steps, tokens or seconds for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from harness.compare.run_data import RunData
from harness.compare.statistics.summaries import (
    Summary,
    area_under_curve,
    best_value,
    common_range,
    final_value,
    to_threshold,
    value_at,
)
from harness.errors import ConfigurationError

Kind = Literal["final", "best", "area", "at", "until"]
Axis = Literal["steps", "tokens", "seconds"]


@dataclass(frozen=True)
class Measure:
    """A number of a curve.

    Attributes:
        kind: ``final`` value, ``best`` value, mean height of the curve (``area``), value ``at`` a budget, or how much
            it took ``until`` a threshold.
        axis: What budgets and areas are counted in.
        number: The budget or the threshold.
    """

    kind: Kind = "final"
    axis: Axis = "steps"
    number: float | None = None

    def __str__(self) -> str:
        at = "" if self.number is None else f" {self.number:g}"
        return {
            "final": "final value", "best": "best value", "area": f"mean height over {self.axis}",
            "at": f"value at{at} {self.axis}", "until": f"{self.axis} until{at}",
        }[self.kind]  # fmt: skip


def read_measure(kind: str, axis: str, number: str | None) -> Measure:
    """A measure from the words of a command.

    Raises:
        ConfigurationError: One of them does not exist, or a number is missing.
    """
    for flag, given, allowed in (("--value", kind, get_args(Kind)), ("--over", axis, get_args(Axis))):
        if given not in allowed:
            raise ConfigurationError(f"{flag} {given}: there is no such one.", f"Allowed: {', '.join(allowed)}.")
    try:
        value = float(number) if number is not None else None
    except ValueError as error:
        raise ConfigurationError(f"{number}: a number is needed.") from error
    if kind in ("at", "until") and value is None:
        raise ConfigurationError(f"--value {kind}: a number is needed.", f"Write --value {kind}=NUMBER.")
    return Measure(kind, axis, value)  # type: ignore[arg-type]


def measured(
    groups: Sequence[Sequence[RunData]], metric: str, measure: Measure, higher: bool
) -> tuple[list[list[Summary]], list[str]]:
    """The number of every run.

    Args:
        groups: Runs.
        metric: The metric's whole name.
        measure: Which number.
        higher: Whether more of the metric is better.

    Returns:
        For each group a summary a run; and notes on what was compared.
    """
    curves = [[_curve(run, metric, measure.axis) for run in runs] for runs in groups]
    notes: list[str] = []
    start, end = np.nan, np.nan
    if measure.kind == "area":
        try:
            start, end = common_range(curve for each in curves for curve in each if np.isfinite(curve[1]).any())
            notes.append(f"from {start:g} to {end:g} {measure.axis}, where all runs are measured")
        except ValueError as error:
            notes.append(str(error))
    found = [[_number(curve, measure, higher, start, end) for curve in each] for each in curves]
    missing = sum(not np.isfinite(each.value) for group in found for each in group)
    if missing and measure.kind == "until":
        notes.append(f"{missing} runs never got there and are left out: the others' mean looks too good")
    elif missing:
        notes.append(f"{missing} of {sum(map(len, found))} runs have no such value and are left out")
    ends = sorted({each.at for group in found for each in group if np.isfinite(each.at)})
    if measure.kind == "final" and len(ends) > 1:
        remedy = f"--value at={ends[0]:g} compares at equal ones"
        notes.append(f"final values were taken at steps from {ends[0]:g} to {ends[-1]:g}; {remedy}")
    return found, notes


def _number(curve: tuple[np.ndarray, np.ndarray], measure: Measure, higher: bool, start: float, end: float) -> Summary:
    x, y = curve
    if not len(x) or not np.isfinite(y).any():
        return Summary(np.nan, np.nan, 0, len(x), "never measured")
    if measure.kind == "final":
        return final_value(x, y)
    if measure.kind == "best":
        return best_value(x, y, higher)
    if measure.kind == "area":
        return area_under_curve(x, y, start, end) if start < end else Summary(np.nan, np.nan, 0, 0, "no common range")
    number = float(measure.number or 0)
    return value_at(x, y, number) if measure.kind == "at" else to_threshold(x, y, number, higher)


def _curve(run: RunData, metric: str, axis: Axis) -> tuple[np.ndarray, np.ndarray]:
    """The metric over the axis, without points that have no place on it."""
    x = np.asarray({"steps": run.steps, "tokens": run.tokens, "seconds": run.times}[axis], float)
    y = run.metrics.get(metric)
    values = np.full(len(x), np.nan) if y is None else np.where(np.isfinite(y), y, np.nan)
    there = np.isfinite(x)
    return x[there], values[there]
