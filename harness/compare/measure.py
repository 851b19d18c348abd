"""Which number of a run's curve counts, taken at equal steps, tokens or seconds for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from harness.compare.absent import DIVERGED, NOT_REACHED, RUNNING, TOO_LITTLE, ending, how_it_ended
from harness.compare.curve import Axis, Curve, curve_of
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
OF_A_WHOLE_RUN = ("final", "best", "area")


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

    The final and best value and the height of a curve are those of a run that has trained to its end: what one that
    crashed early had by then says nothing of them, and one that diverged has no final value.

    Args:
        groups: Runs.
        metric: The metric's whole name.
        measure: Which number.
        higher: Whether more of the metric is better.

    Returns:
        For each group a summary a run; and notes on what was compared.
    """
    curves = [[curve_of(run, metric, measure.axis) for run in runs] for runs in groups]
    pairs = [pair for runs, each in zip(groups, curves, strict=True) for pair in zip(runs, each, strict=True)]
    start, end, notes = _range(pairs) if measure.kind == "area" else (np.nan, np.nan, [])
    numbers = iter([_number(run, curve, measure, higher, start, end) for run, curve in pairs])
    found = [[next(numbers) for _ in runs] for runs in groups]
    flat = [each for group in found for each in group]
    return found, [*notes, *_uneven(flat, measure), *_running(pairs, flat, measure)]


def _range(pairs: Sequence[tuple[RunData, Curve]]) -> tuple[float, float, list[str]]:
    """Where all curves are measured that reached their end, and a note."""
    curves = [(curve.x, curve.y) for run, curve in pairs if run.is_whole and curve.is_measured]
    if not curves:
        return np.nan, np.nan, []
    try:
        start, end = common_range(curves)
    except ValueError as error:
        return np.nan, np.nan, [str(error)]
    return start, end, [f"from {start:g} to {end:g}, where all runs that trained to their end are measured"]


def _number(run: RunData, curve: Curve, measure: Measure, higher: bool, start: float, end: float) -> Summary:
    """The number, or why there is none."""
    if measure.kind in OF_A_WHOLE_RUN and not run.is_whole:
        return _none(curve, how_it_ended(run), ending(run))
    broke = curve.broke_by(float(measure.number or 0)) if measure.kind == "at" else curve.broke_by()
    diverged = f"diverged: what was recorded at {broke:g} is no finite number" if np.isfinite(broke) else ""
    if diverged and measure.kind in ("final", "area", "at"):
        return _none(curve, diverged, DIVERGED)
    found = _taken(curve, measure, higher, start, end)
    if np.isfinite(found.value):
        return replace(found, note=diverged) if diverged else found
    return _without(run, curve, replace(found, note=diverged or found.note), broke, measure)


def _without(run: RunData, curve: Curve, found: Summary, broke: float, measure: Measure) -> Summary:
    """Why nothing was found, and up to where it is known that a threshold was not reached.

    A run that crashed before it got there is known only up to where it was: it is left out, as one that can still come
    is not.
    """
    if not run.is_whole:
        is_going = run.state == "running" and found.is_censored
        told = replace(found, note=how_it_ended(run), absent=ending(run))
        return told if is_going else _none(curve, told.note, told.absent)
    if np.isfinite(broke):
        until = measure.kind == "until"  # it was not there by then either
        return replace(found, at=broke, absent=DIVERGED) if until else _none(curve, found.note, DIVERGED)
    return replace(found, absent=NOT_REACHED if found.is_censored else TOO_LITTLE)


def _none(curve: Curve, note: str, absent: str) -> Summary:
    used = int(np.isfinite(curve.y).sum())
    return Summary(np.nan, np.nan, used, len(curve.x) - used, note, absent)


def _taken(curve: Curve, measure: Measure, higher: bool, start: float, end: float) -> Summary:
    """The number of a curve, whatever became of the run."""
    x, y = curve.x, curve.y
    if not curve.is_measured:
        return Summary(np.nan, np.nan, 0, len(x), "never measured")
    if measure.kind == "final":
        return final_value(x, y)
    if measure.kind == "best":
        return best_value(x, y, higher)
    if measure.kind == "area":
        return area_under_curve(x, y, start, end) if start < end else Summary(np.nan, np.nan, 0, 0, "no common range")
    number = float(measure.number or 0)
    return value_at(x, y, number) if measure.kind == "at" else to_threshold(x, y, number, higher)


def _uneven(found: Sequence[Summary], measure: Measure) -> list[str]:
    """A note where final values were taken at different places."""
    ends = sorted({each.at for each in found if np.isfinite(each.at)})
    if measure.kind != "final" or len(ends) < 2:
        return []
    taken = f"final values were taken at {measure.axis} from {_shown(ends[0])} to {_shown(ends[-1])}"
    return [f"{taken}; {_at(ends[0], measure.axis)} compares at equal ones"]


def _running(pairs: Sequence[tuple[RunData, Curve]], found: Sequence[Summary], measure: Measure) -> list[str]:
    """A note on how to compare runs before they have ended."""
    going = [curve.last for (_, curve), one in zip(pairs, found, strict=True) if one.absent == RUNNING]
    reached = [last for last in going if last > 0]
    if measure.kind not in OF_A_WHOLE_RUN or not reached or len(reached) < len(going):
        return []
    return [f"{_at(min(reached), measure.axis)} compares where those that are still running have come"]


def _at(place: float, axis: Axis) -> str:
    """The flags that compare at a place; it is rounded down, as nothing is known beyond."""
    return f"--value at={_shown(place)}" + (f" --over {axis}" if axis != "steps" else "")


def _shown(place: float) -> str:
    return str(int(place)) if place >= 1 else f"{place:g}"
