"""Two groups held against each other prompt by prompt, at the last validation that all of their runs have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.run_data import RunData
from harness.compare.statistics.prompts import (
    McNemar,
    PromptDifference,
    mcnemar,
    over_prompts,
    over_seeds_and_prompts,
)


@dataclass(frozen=True)
class Prompts:
    """What the prompts say.

    Attributes:
        step: Of the validation.
        quantity: ``correct`` where the reward function says it, else ``score``.
        models: Are these trained models different on prompts like these?
        trainings: Would other trainings, asked other prompts, differ? None with one seed on a side.
        right: Who was right where, for one model a side that answers each prompt right or wrong.
    """

    step: int
    quantity: str
    models: PromptDifference
    trainings: PromptDifference | None
    right: McNemar | None


def compare_prompts(a: Sequence[RunData], b: Sequence[RunData], rng: np.random.Generator) -> Prompts | None:
    """Compare two groups over the prompts that both were asked.

    Of each group the runs that are done count, if it has any: one that crashed early would move all to its own last
    validation.

    Returns:
        None where they have no validation with samples in common, or fewer than two prompts.
    """
    of_a, of_b = whole_runs(a), whole_runs(b)
    steps = [set(run.sample_steps) for run in (*of_a, *of_b)]
    shared = set.intersection(*steps) if steps else set[int]()
    if not shared or not of_a or not of_b:
        return None
    step = max(shared)
    for quantity in ("correct", "score"):
        scores = _scores([*of_a, *of_b], step, quantity)
        if scores is None:
            continue
        one, other = scores[: len(of_a)], scores[len(of_a) :]
        several = min(len(one), len(other)) > 1
        single = len(one) == len(other) == 1 and set(np.unique(scores)) <= {0.0, 1.0}
        return Prompts(
            step,
            quantity,
            over_prompts(one, other, rng),
            over_seeds_and_prompts(one, other) if several else None,
            mcnemar(one[0], other[0]) if single else None,
        )
    return None


def whole_runs(side: Sequence[RunData]) -> list[RunData]:
    """The runs of a group whose validations count: those that are done, or all that have any where none is."""
    sampled = [run for run in side if run.sample_steps]
    return [run for run in sampled if run.state == "done"] or sampled


def _scores(runs: Sequence[RunData], step: int, quantity: str) -> np.ndarray | None:
    """(S, P) means of the prompts that every run was asked; None where they are fewer than two."""
    found = []
    for run in runs:
        samples = run.samples(step)
        if samples is None:
            return None
        found.append(dict(zip(*samples.by_example(getattr(samples, quantity)), strict=True)))
    shared = sorted(set.intersection(*(set(each) for each in found)))
    return np.array([[each[index] for index in shared] for each in found], float) if len(shared) > 1 else None
