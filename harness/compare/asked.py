"""The prompts that every run of two groups was asked in the same words, at the last validation of all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.compare.run_data import RunData, load_samples
from harness.compare.samples import Samples

DIFFER, MISSING = "another text in some runs", "not asked in some runs"


@dataclass(frozen=True, eq=False)
class Asked:
    """Prompts that are the same on both sides; R runs, P prompts.

    Attributes:
        step: Of the validation.
        a, b: The runs of the sides.
        paired: Whether run i of both sides has the same seed.
        samples: Of each run, those of a first.
        places: (R, P) which example of its data set a prompt is in each run.
        left_out: Why → how many prompts are not among them.
        total: How many prompts a run was asked at most.
    """

    step: int
    a: tuple[RunData, ...]
    b: tuple[RunData, ...]
    paired: bool
    samples: tuple[Samples, ...]
    places: np.ndarray
    left_out: Mapping[str, int]
    total: int

    def scores(self, quantity: str) -> tuple[np.ndarray, np.ndarray]:
        """Means over a prompt's samples, (runs of a, P) and (runs of b, P); NaN where there is no value.

        Args:
            quantity: ``correct`` or ``score``.
        """
        found = np.full(self.places.shape, np.nan)
        for row, samples, places in zip(found, self.samples, self.places, strict=True):
            examples, means = samples.by_example(quantity)
            if len(examples):
                at = np.searchsorted(examples, places).clip(max=len(examples) - 1)
                row[:] = np.where(examples[at] == places, means[at], np.nan)
        return found[: len(self.a)], found[len(self.a) :]


def whole_runs(side: Sequence[RunData]) -> list[RunData]:
    """The runs whose validations count: those that trained to their end; where none did, all that have any."""
    sampled = [run for run in side if run.sample_steps]
    return [run for run in sampled if run.is_whole] or sampled


def last_shared(a: Sequence[RunData], b: Sequence[RunData]) -> int | None:
    """The last step at which all of these runs have samples."""
    steps = [set(run.sample_steps) for run in (*a, *b)]
    shared = set.intersection(*steps) if a and b else set[int]()
    return max(shared, default=None)


def sides(a: Sequence[RunData], b: Sequence[RunData], paired: bool) -> tuple[list[RunData], list[RunData], bool]:
    """The runs of two groups whose samples are compared; if paired, those of the seeds that both have, in one order."""
    of_a, of_b = whole_runs(a), whole_runs(b)
    by_seed = [{run.seed: run for run in side if run.seed is not None} for side in (of_a, of_b)]
    shared = sorted(by_seed[0].keys() & by_seed[1].keys())
    if not paired or not shared:
        return of_a, of_b, False
    return [by_seed[0][seed] for seed in shared], [by_seed[1][seed] for seed in shared], True


def asked_of_both(
    a: Sequence[RunData], b: Sequence[RunData], paired: bool = False, sources: Sequence[str] = ()
) -> Asked | None:
    """The prompts of two groups.

    Args:
        a: Runs.
        b: Runs.
        paired: Whether equal seeds belong together.
        sources: Data sources whose prompts are wanted; all if empty, and where the record does not say whose they are.

    Returns:
        None where they have no validation with samples in common, or samples that cannot be read.
    """
    of_a, of_b, by_seed = sides(a, b, paired)
    step = last_shared(of_a, of_b)
    if step is None:
        return None
    load_samples((run, step) for run in (*of_a, *of_b))
    found = [samples for run in (*of_a, *of_b) if (samples := run.samples(step)) is not None]
    if len(found) < len(of_a) + len(of_b):
        return None
    kept = tuple(samples.of(sources) if sources else samples for samples in found)
    places, left_out = match([samples.asked for samples in kept])
    total = max(len(samples.asked[0]) for samples in kept)
    return Asked(step, tuple(of_a), tuple(of_b), by_seed, kept, places, left_out, total)


def match(asked: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, dict[str, int]]:
    """Find each prompt in every run: by its text, and where a text comes several times, at the same example.

    Args:
        asked: For each run its examples, ascending, and the prompt of each, see `Samples.asked`.

    Returns:
        (R, P) the example that each prompt is in each run; and why → how many examples are left out.
    """
    examples, prompts = asked[0]
    if all(np.array_equal(one, examples) and np.array_equal(other, prompts) for one, other in asked):
        return np.tile(examples, (len(asked), 1)), {}
    by_example = [dict(zip(one.tolist(), other.tolist(), strict=True)) for one, other in asked]
    repeated = {text for each in by_example for text, count in Counter(each.values()).items() if count > 1}
    keys = [{(text, place if text in repeated else -1): place for place, text in each.items()} for each in by_example]
    shared = set.intersection(*map(set, keys))
    order = sorted(shared, key=keys[0].__getitem__)
    places = np.array([[each[key] for key in order] for each in keys], np.int64)
    found = [{each[key] for key in shared} for each in keys]
    lost = {place for each, there in zip(by_example, found, strict=True) for place in each.keys() - there}
    texts = [len({each[place] for each in by_example if place in each}) for place in lost]
    counts = {DIFFER: sum(number > 1 for number in texts), MISSING: sum(number == 1 for number in texts)}
    return places.reshape(len(asked), len(order)), {why: count for why, count in counts.items() if count}
