"""How sure the change from the first to the last validation is, from the scores of the single samples.

Prompts are the unit: the responses to one prompt are averaged first. Proportions of single responses get Wilson's
interval, other means and the difference a bootstrap over prompts, for the difference a paired one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.generations import Generation

CONFIDENCE = 0.95
_RESAMPLES = 9999


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two validations of the same prompts.

    Args:
        variable: ``accuracy`` or ``score``.
        prompts: How many prompts both have.
        before: The first validation.
        after: The last one.
        difference: After minus before, paired by prompt.
    """

    variable: str
    prompts: int
    before: Estimate
    after: Estimate
    difference: Estimate

    @property
    def is_clear(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0


def compare(first: Sequence[Generation], last: Sequence[Generation], seed: int = 0) -> Comparison | None:
    """Compare two validations prompt by prompt.

    Args:
        first: Samples of the earlier validation.
        last: Samples of the later one.
        seed: Of the bootstrap, so that a report is the same whenever it is written.

    Returns:
        The comparison, or None with fewer than two prompts in common.
    """
    variable = "acc" if all(_value(g, "acc") is not None for g in [*first, *last]) else "score"
    before_by, after_by = _by_prompt(first, variable), _by_prompt(last, variable)
    common = [prompt for prompt in before_by if prompt in after_by]
    if len(common) < 2:
        return None
    before = np.array([np.mean(before_by[prompt]) for prompt in common])
    after = np.array([np.mean(after_by[prompt]) for prompt in common])
    rng = np.random.default_rng(seed)
    return Comparison(
        variable={"acc": "accuracy"}.get(variable, variable),
        prompts=len(common),
        before=mean_interval(before, rng),
        after=mean_interval(after, rng),
        difference=bootstrap_interval(after - before, rng),
    )


def estimate(generations: Sequence[Generation], seed: int = 0) -> Estimate | None:
    """The mean score of one validation with its interval; None without scores."""
    variable = "acc" if generations and all(_value(g, "acc") is not None for g in generations) else "score"
    by_prompt = _by_prompt(generations, variable)
    means = np.array([np.mean(values) for values in by_prompt.values()])
    return mean_interval(means, np.random.default_rng(seed)) if len(means) else None


def mean_interval(values: np.ndarray, rng: np.random.Generator) -> Estimate:
    """The mean of one value a prompt: Wilson's interval where all are 0 or 1, else a bootstrap."""
    if np.isin(values, (0.0, 1.0)).all():
        result = stats.binomtest(int(values.sum()), len(values))
        interval = result.proportion_ci(CONFIDENCE, method="wilson")
        return Estimate(float(values.mean()), float(interval.low), float(interval.high))
    return bootstrap_interval(values, rng)


def bootstrap_interval(values: np.ndarray, rng: np.random.Generator) -> Estimate:
    """The mean of ``values`` with a percentile bootstrap interval; a point where they are all equal."""
    mean = float(values.mean())
    if len(values) < 2 or np.ptp(values) == 0:
        return Estimate(mean, mean, mean)
    result = stats.bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, confidence_level=CONFIDENCE, method="percentile", rng=rng, batch=999
    )
    return Estimate(mean, float(result.confidence_interval.low), float(result.confidence_interval.high))


def _by_prompt(generations: Sequence[Generation], variable: str) -> dict[tuple[str, str], list[float]]:
    groups: dict[tuple[str, str], list[float]] = defaultdict(list)
    for generation in generations:
        value = _value(generation, variable)
        if value is not None:
            groups[prompt_key(generation)].append(value)
    return groups


def prompt_key(generation: Generation) -> tuple[str, str]:
    """What makes two samples answers to the same question: its text and its ground truth."""
    return generation.input, str(generation.ground_truth)


def _value(generation: Generation, variable: str) -> float | None:
    value = generation.score if variable == "score" else generation.extra.get(variable)
    return float(value) if isinstance(value, int | float) else None
