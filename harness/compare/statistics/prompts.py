"""Differences over the prompts of an evaluation: scores of seeds × prompts, (S, P), the same P prompts on both sides.

Three questions, three answers. Are *these* trained models different on prompts like these? `over_prompts`. Is one of
them right where the other is wrong? `mcnemar`. Would *another training* with other seeds, asked *other prompts*, differ
too? `over_seeds_and_prompts`: S · P scores are far from S · P independent ones, since those of one model go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy import stats

from harness.compare.statistics.intervals import LEVEL, Interval, mean_interval
from harness.compare.statistics.significance import Significance, holm, sign_flip_test
from harness.compare.statistics.trimmed import Located, has_spread, satterthwaite


@dataclass(frozen=True)
class PromptDifference:
    """A difference a − b, its test, the prompts it rests on and how many were left out for want of a score.

    ``p_holm`` is the test's p corrected over the comparisons that ask the same, see `corrected`.
    """

    interval: Interval
    test: Significance
    prompts: int
    left_out: int
    p_holm: float = np.nan

    @property
    def p(self) -> float:
        """Return the raw p."""
        return self.test.p


@dataclass(frozen=True)
class McNemar:
    """Counts of prompts by who was right, and the exact two-sided p of only_a against only_b; ``p_holm`` as above."""

    both: int
    only_a: int
    only_b: int
    neither: int
    p: float
    p_holm: float = np.nan


Found = TypeVar("Found", PromptDifference, McNemar)


def corrected(family: Sequence[Found | None]) -> list[Found | None]:
    """The answers to one question about several pairs of groups, with p after Holm's correction over them.

    Args:
        family: An answer a pair; None where there is none.

    Returns:
        The same with their ``p_holm``, in the same order.
    """
    adjusted = iter(holm(np.array([each.p for each in family if each is not None], float)).tolist())
    return [None if each is None else replace(each, p_holm=next(adjusted)) for each in family]


def over_prompts(
    a_SP: np.ndarray, b_SP: np.ndarray, rng: np.random.Generator, level: float = LEVEL
) -> PromptDifference:
    """Averages over seeds first, then compares prompt by prompt: sign flips for p, `mean_interval` for the bounds.

    It takes the trained models as they are. With one seed a side it says nothing about the algorithms.

    Args:
        a_SP: (S, P) scores, NaN where there is none; a prompt counts if every seed of both sides has a score.
        b_SP: (S', P), the same prompts in the same order.
        rng: Chooses flips and resamples.
        level: Confidence level.

    Returns:
        The mean difference over prompts, in the scores' unit.

    Raises:
        ValueError: Prompts differ in number, or fewer than two have all scores.
    """
    a, b, left_out = _complete(a_SP, b_SP, 1)
    one, other = a.mean(0), b.mean(0)
    interval = mean_interval(one - other, rng, level=level)
    return PromptDifference(interval, sign_flip_test(one, other, rng), a.shape[1], left_out)


def over_seeds_and_prompts(
    a_SP: np.ndarray, b_SP: np.ndarray, paired: bool = False, level: float = LEVEL
) -> PromptDifference:
    """The difference with both seeds and prompts as samples: two-way random effects, t with Satterthwaite's freedom.

    Squared error = (variance of run means) / S of each side (paired: of the seeds' differences) + (variance of the
    prompts' differences) / P − what both counted, the residual of a run on a prompt (Searle, Casella and McCulloch,
    Variance Components 1992, chapter 4). Seeds are clusters: more prompts cannot replace them.

    Args:
        a_SP: (S, P) scores, S at least 2, NaN where there is none; incomplete prompts are left out.
        b_SP: (S', P), the same prompts in the same order.
        paired: Equal rows have equal seeds.
        level: Confidence level.

    Returns:
        The mean difference, in the scores' unit.

    Raises:
        ValueError: Prompts differ in number, fewer than two are complete, or a side has one seed.
    """
    a, b, left_out = _complete(a_SP, b_SP, 2)
    if paired and len(a) != len(b):
        raise ValueError(f"Pairs of {len(a)} and {len(b)} seeds.")
    clusters = [a - b] if paired else [a, b]
    gaps_P = a.mean(0) - b.mean(0)
    parts = [_of(scores.mean(1)) for scores in clusters] + [_of(gaps_P)]
    twice = sum(_residual(scores) / scores.size for scores in clusters)
    squared = sum(float(part.error) ** 2 for part in parts)
    largest = max(float(part.error) ** 2 for part in parts)
    error, freedom = np.sqrt(max(squared - twice, largest)), satterthwaite(parts)
    estimate = float(gaps_P.mean())
    half = float(stats.t.ppf((1 + level) / 2, freedom) * error)
    name = "two-way random effects, t"
    p = float(2 * stats.t.sf(abs(estimate) / error, freedom)) if error > 0 else float(estimate == 0)
    notes = ("fewer than five seeds on a side: mind the width",) if min(len(a), len(b)) < 5 else ()
    interval = Interval(estimate, estimate - half, estimate + half, level, name, (len(a), len(b)), notes)
    return PromptDifference(interval, Significance(max(p, np.finfo(float).tiny), name, 0.0), a.shape[1], left_out)


def mcnemar(a_P: np.ndarray, b_P: np.ndarray) -> McNemar:
    """McNemar's exact test of correctness on the same prompts (Psychometrika 1947; `scipy.stats.binomtest`).

    Args:
        a_P: (P,) whether one model was right, booleans or 0 and 1.
        b_P: (P,) whether the other was.

    Returns:
        The four counts and p; 1 where the two never disagree.

    Raises:
        ValueError: Unequal lengths, or values other than 0 and 1 (NaN included).
    """
    a, b = np.asarray(a_P, dtype=float), np.asarray(b_P, dtype=float)
    if a.ndim != 1 or a.shape != b.shape or not np.isin(np.concatenate([a, b]), [0.0, 1.0]).all():
        raise ValueError(f"Correctness of shapes {a.shape} and {b.shape}; want the same prompts, each 0 or 1.")
    right_a, right_b = a == 1, b == 1
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return McNemar(int((right_a & right_b).sum()), only_a, only_b, int((~right_a & ~right_b).sum()), p)


def _complete(a_SP: np.ndarray, b_SP: np.ndarray, seeds: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Both sides on the prompts that have every score, and how many have not."""
    a, b = np.asarray(a_SP, dtype=float), np.asarray(b_SP, dtype=float)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < seeds:
        raise ValueError(f"Scores {a.shape} and {b.shape}; want (seeds, prompts) with {seeds} seeds and equal prompts.")
    whole = np.isfinite(a).all(0) & np.isfinite(b).all(0)
    if whole.sum() < 2:
        raise ValueError(f"{int(whole.sum())} of {len(whole)} prompts have every score; want at least 2.")
    return a[:, whole], b[:, whole], int((~whole).sum())


def _of(values: np.ndarray) -> Located:
    """The mean with its standard error; rounding counts as no spread."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if has_spread(values) else 0.0
    return Located(values.mean(), np.asarray(error), np.asarray(len(values) - 1.0))


def _residual(scores_SP: np.ndarray) -> float:
    """The variance that neither a run's level nor a prompt's explains."""
    seeds, prompts = scores_SP.shape
    rest = scores_SP - scores_SP.mean(0) - scores_SP.mean(1)[:, None] + scores_SP.mean()
    return float((rest**2).sum() / ((seeds - 1) * (prompts - 1)))
