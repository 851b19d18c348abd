"""What a run came to, read from its folder: before, after and best of each quantity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.records.metrics import StepRecord, read_metrics
from harness.records.quantities import REWARD, number, validation_headline, validation_label, validation_metrics
from harness.records.status import read_status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.records.run_folder import RunFolder
    from harness.records.state import Status


@dataclass(frozen=True)
class Change:
    """How a quantity went over a run; each value with its step."""

    name: str
    label: str
    first: float
    first_step: int
    last: float
    last_step: int
    best: float
    best_step: int

    @property
    def difference(self) -> float:
        """Last minus first."""
        return self.last - self.first


@dataclass(frozen=True)
class RunSummary:
    """The outcome of a run.

    Args:
        status: What is true of the run.
        steps: Training steps taken.
        seconds: How long the last attempt took, or None where it has not ended.
        reward: The training reward, or None before the first step.
        validation: Each core validation metric.
        headline: The mean over data sources; None without a validation.
    """

    status: Status
    steps: int
    seconds: float | None
    reward: Change | None
    validation: tuple[Change, ...]
    headline: Change | None

    @property
    def rows(self) -> list[Change]:
        """What a table of before and after shows: the mean over several data sources first."""
        mean = [self.headline] if self.headline and len(self.validation) > 1 else []
        return [*mean, *self.validation, *([self.reward] if self.reward else [])]


def summarise(run_folder: RunFolder) -> RunSummary:
    """Read the summary of a run, finished or not."""
    records = read_metrics(run_folder.metrics)
    status = read_status(run_folder)
    names = sorted({name for record in records for name in validation_metrics(record.metrics)})
    changes = (change(records, name, validation_label(name), partial(number, names=(name,))) for name in names)
    training = [record.step for record in records if not record.is_validation_only]
    return RunSummary(
        status=status,
        steps=max(training, default=0),
        seconds=status.seconds,
        reward=change(records, "reward", "training reward", lambda metrics: number(metrics, REWARD)),
        validation=tuple(found for found in changes if found),
        headline=change(records, "validation", "validation, mean", validation_headline),
    )


def change(
    records: Sequence[StepRecord], name: str, label: str, value: Callable[[Mapping[str, Any]], float | None]
) -> Change | None:
    """How the quantity ``value(metrics)`` went over ``records``; None where it never had a value. Higher is better."""
    points = [(record.step, found) for record in records if (found := value(record.metrics)) is not None]
    if not points:
        return None
    best_step, best = max(points, key=lambda point: (point[1], -point[0]))
    return Change(name, label, points[0][1], points[0][0], points[-1][1], points[-1][0], best, best_step)
