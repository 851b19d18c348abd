"""What a run wrote at a validation, a value a sample: so that two runs can be compared prompt by prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.records.generations import Generation, read_generations
from harness.records.run_folder import RunFolder

CORRECT = "acc"  # what every reward function of the harness returns beside its score


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one validation.

    Attributes:
        step: The training step.
        index: Which example of the data set each answers; one that was sampled several times comes several times.
        score: The reward; NaN where it was none.
        correct: Whether it was right, 1 or 0 (or a share of 1); NaN where the reward function did not say.
        read: Reads the texts again.
    """

    step: int
    index: np.ndarray
    score: np.ndarray
    correct: np.ndarray
    read: Callable[[], list[Generation]]

    @cached_property
    def texts(self) -> list[Generation]:
        """Prompts, responses and right answers in the same order; read when asked for."""
        return self.read()

    def by_example(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The mean of ``values`` over the samples of each example.

        Args:
            values: ``score`` or ``correct``.

        Returns:
            The examples' indices, ascending, and their means; examples without a value are left out.
        """
        there = ~np.isnan(values)
        examples, place = np.unique(self.index[there], return_inverse=True)
        counts = np.bincount(place, minlength=len(examples))
        return examples, np.bincount(place, values[there], minlength=len(examples)) / counts


def read_samples(folder: RunFolder, step: int) -> Samples:
    """The samples of the validation at a step; empty arrays where there was none.

    Raises:
        OSError: The file cannot be read.
        ValueError: A sample is not what it should be.
    """

    def read() -> list[Generation]:
        return read_generations(folder.generations, step)

    found = read()
    scores = [np.nan if each.score is None else each.score for each in found]
    return Samples(
        step=step,
        index=np.array([each.index for each in found], np.int64),
        score=np.array(scores, np.float64),
        correct=np.array([_correct(each.extra.get(CORRECT)) for each in found], np.float64),
        read=read,
    )


def _correct(value: object) -> float:
    return float(value) if isinstance(value, int | float) else np.nan
