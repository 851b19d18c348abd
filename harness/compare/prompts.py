"""Two groups held against each other prompt by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from harness.compare.asked import Asked, asked_of_both, last_shared, sides
from harness.compare.findings import Finding
from harness.compare.run_data import RunData, load_samples
from harness.compare.sources import listed
from harness.compare.statistics.prompts import (
    McNemar,
    PromptDifference,
    corrected,
    mcnemar,
    over_prompts,
    over_seeds_and_prompts,
)

LEAST = 2  # prompts with a value in every run


@dataclass(frozen=True)
class Prompts:
    """What the prompts say.

    Attributes:
        step: Of the validation.
        quantity: ``correct`` where the reward function says it, else ``score``.
        models: Are these trained models different on prompts like these?
        trainings: Would other trainings, asked other prompts, differ? None with one seed on a side.
        right: Who was right where, for one model a side that answers each prompt right or wrong.
        asked: The prompts.
        family: Over how many pairs of groups p is corrected.
    """

    step: int
    quantity: str
    models: PromptDifference
    trainings: PromptDifference | None
    right: McNemar | None
    asked: Asked = field(repr=False)
    family: int = 1


def prompts_of(
    pairs: Sequence[tuple[str, str, bool]],
    groups: Mapping[str, Sequence[RunData]],
    sources: Sequence[str],
    rng: np.random.Generator,
) -> tuple[dict[tuple[str, str], Prompts], list[Finding]]:
    """Compare pairs of groups over the prompts that both sides were asked.

    Args:
        pairs: Labels of two groups, and whether equal seeds belong together.
        groups: Label → runs.
        sources: Data sources whose prompts are wanted; all if empty.
        rng: Makes resamples and sign flips.

    Returns:
        What the prompts say, by (a, b), of the pairs that have some in common, with p after Holm's correction over
        them, each question by itself; and which prompts are left out.
    """
    _read_all([sides(groups[a], groups[b], paired) for a, b, paired in pairs])
    found: dict[tuple[str, str], Prompts] = {}
    lost: dict[str, list[str]] = {}
    for a, b, paired in pairs:
        asked = asked_of_both(groups[a], groups[b], paired, sources)
        if asked is None:
            continue
        if prompts := compare_prompts(asked, rng):
            found[a, b] = prompts
        if asked.left_out:
            lost.setdefault(_left_out(asked), []).append(f"{a} and {b}")
    notes = [f"{what}, between {listed(between)}" for what, between in lost.items()]
    return _corrected(found), [Finding("prompts", "between", {}, tuple(groups), note) for note in notes]


def _corrected(found: Mapping[tuple[str, str], Prompts]) -> dict[tuple[str, str], Prompts]:
    every = list(found.values())
    models = corrected([each.models for each in every])
    trainings, right = corrected([each.trainings for each in every]), corrected([each.right for each in every])
    answers = zip(found.items(), models, trainings, right, strict=True)
    return {pair: replace(each, models=a or each.models, trainings=b, right=c, family=len(every))
            for (pair, each), a, b, c in answers}  # fmt: skip


def _read_all(pairs: Sequence[tuple[Sequence[RunData], Sequence[RunData], bool]]) -> None:
    """Read the samples of all pairs at once, which several processes do."""
    steps = [last_shared(a, b) for a, b, _ in pairs]
    runs = [(a, b, step) for (a, b, _), step in zip(pairs, steps, strict=True) if step is not None]
    load_samples((run, step) for a, b, step in runs for run in (*a, *b))


def _left_out(asked: Asked) -> str:
    count = sum(asked.left_out.values())
    why = ", ".join(f"{number} {reason}" for reason, number in asked.left_out.items())
    return f"{count} of {asked.total} of step {asked.step} left out ({why})"


def compare_prompts(asked: Asked, rng: np.random.Generator) -> Prompts | None:
    """Compare two groups over the prompts that both were asked.

    Returns:
        None where fewer than two prompts have a value in every run.
    """
    for quantity in ("correct", "score"):
        one, other = asked.scores(quantity)
        if (np.isfinite(one).all(0) & np.isfinite(other).all(0)).sum() < LEAST:
            continue
        several = min(len(one), len(other)) > 1
        values = np.unique(np.concatenate([one, other]))
        single = len(one) == len(other) == 1 and set(values[np.isfinite(values)]) <= {0.0, 1.0}
        whole = np.isfinite(one).all(0) & np.isfinite(other).all(0)
        return Prompts(
            asked.step,
            quantity,
            over_prompts(one, other, rng),
            over_seeds_and_prompts(one, other, asked.paired) if several else None,
            mcnemar(one[0, whole], other[0, whole]) if single else None,
            asked,
        )
    return None
