"""What is said of a comparison beside its sentence: how often a run is better than another, and what prompts say."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from harness.compare.prompts import Prompts
from harness.compare.statistics.intervals import Interval
from harness.compare.statistics.verdict import Comparison
from harness.compare.study import Study


def beside(study: Study, found: Comparison) -> Iterator[str]:
    """A line for each thing that is known."""
    if isfinite(found.improvement.estimate):
        yield improvement(found)
    if (prompts := study.prompts.get((found.a, found.b))) is not None:
        yield over_prompts(prompts)


def improvement(found: Comparison) -> str:
    """The probability that a run of a is better than one of b; of times to a threshold, that it is there first."""
    there = ", of getting there first" if found.reached is not None else ""
    return f"probability of improvement{there}: {found.improvement.estimate:.2f}{_bounds(found.improvement, '.2f')}"


def over_prompts(found: Prompts) -> str:
    """What the prompts of a validation say, with p after Holm's correction over the pairs of groups."""
    models, holm = found.models, " (Holm)" if found.family > 1 else ""
    said = (
        f"over {models.prompts} prompts of step {found.step}, {found.quantity}: {models.interval.estimate:+.3f}"
        f"{_bounds(models.interval, '.3f')}, {_p(models.p_holm)}{holm} for these models"
    )
    if (other := found.trainings) is not None:
        said += f";{_bounds(other.interval, '.3f')}, {_p(other.p_holm)}{holm} for other trainings and prompts too"
    if (right := found.right) is not None:
        said += f"; right alone on {right.only_a} against {right.only_b}, McNemar's {_p(right.p_holm)}{holm}"
    return said


def _bounds(interval: Interval, form: str) -> str:
    return f" [{interval.low:{form}}, {interval.high:{form}}]" if isfinite(interval.low) else ""


def _p(p: float) -> str:
    return "p<0.001" if p < 0.001 else f"p={p:.2g}"
