"""Which group was better: for each comparison its estimate, interval, p, effect and a sentence to sign.

The decision follows p after Holm's correction over the family; the interval is that of the single comparison. Fewer
than three runs a side decide nothing, whatever they show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from harness.compare.statistics.effects import hedges_g, probability_of_improvement
from harness.compare.statistics.intervals import LEVEL, Interval, difference_interval
from harness.compare.statistics.power import SeedsNeeded, seeds_to_decide, too_few
from harness.compare.statistics.samples import Group, Sides, sides
from harness.compare.statistics.significance import Significance, difference_test, holm
from harness.compare.statistics.trimmed import Statistic, centre
from harness.compare.statistics.wording import sentence, warnings_of
from harness.errors import ConfigurationError

Decision = Literal["better", "worse", "no difference shown", "too few seeds"]


@dataclass(frozen=True)
class Question:
    """How groups are compared.

    Args:
        statistic: ``mean`` or ``iqm`` over a group's runs.
        higher_is_better: Which way the metric points.
        paired: Whether equal seeds belong together; None: where the groups share them (see `sides`).
        level: Confidence level; 1 − level is the family's error rate.
    """

    statistic: Statistic = "mean"
    higher_is_better: bool = True
    paired: bool | None = None
    level: float = LEVEL


@dataclass(frozen=True)
class Comparison:
    """A group held against another; differences are a − b in the metric's unit, NaN where there is none.

    ``interval`` is of the difference, ``effect`` Hedges' g, ``improvement`` the probability that a run of a is better
    than one of b. ``runs`` counts the runs that took part, of a and of b; paired, both are the number of pairs.
    ``needed`` judges by the family's level over its size. ``test`` and ``p_holm`` hold NaN where nothing was tested.
    """

    a: str
    b: str
    centre_a: float
    centre_b: float
    interval: Interval
    effect: Interval
    improvement: Interval
    test: Significance
    p_holm: float
    runs: tuple[int, int]
    paired: bool
    needed: SeedsNeeded | None
    decision: Decision
    warnings: tuple[str, ...]
    sentence: str = ""

    @property
    def p(self) -> float:
        """Return the raw p."""
        return self.test.p

    @property
    def methods(self) -> tuple[str, ...]:
        """Return what made the interval, p, the effect and P(improvement), in this order."""
        return self.interval.method, self.test.method, self.effect.method, self.improvement.method


def compare_to_baseline(
    groups: Sequence[Group], baseline: str, rng: np.random.Generator, question: Question | None = None
) -> list[Comparison]:
    """Hold every other group against one; these comparisons are the family of Holm's correction.

    Args:
        groups: At least two, with names of their own.
        baseline: The name of one of them.
        rng: Makes resamples and random permutations.
        question: How to compare.

    Returns:
        A comparison of each other group (a) with the baseline (b), in the order given.

    Raises:
        ConfigurationError: There is no such group, nothing to compare it with, or pairs are asked for and the seeds do
            not allow them.
    """
    named = _by_name(groups)
    if baseline not in named:
        raise ConfigurationError(
            f"There is no group {baseline!r} to compare with.", f"Choose one of: {', '.join(named)}."
        )
    pairs = [(group, named[baseline]) for group in groups if group.name != baseline]
    return _family(pairs, rng, question or Question())


def compare_all_pairs(
    groups: Sequence[Group], rng: np.random.Generator, question: Question | None = None
) -> list[Comparison]:
    """Hold each group against each later one; all of these are one family, which costs power. Else as above."""
    _by_name(groups)
    return _family(list(combinations(groups, 2)), rng, question or Question())


def _by_name(groups: Sequence[Group]) -> dict[str, Group]:
    """The groups by their names."""
    named = {group.name: group for group in groups}
    if len(named) < 2 or len(named) < len(groups):
        raise ConfigurationError(
            f"A comparison needs two groups of different names: {', '.join(g.name for g in groups) or 'none'}.",
            "Name a key whose values differ between the runs.",
        )
    return named


def _family(pairs: list[tuple[Group, Group]], rng: np.random.Generator, question: Question) -> list[Comparison]:
    """Compare each pair, then correct and decide together."""
    arranged = [sides(a, b, question.paired) for a, b in pairs]
    tested = sum(too_few(len(side.a), len(side.b)) is None for side in arranged)
    alpha = (1 - question.level) / max(tested, 1)
    compared = [_compare(a, b, side, rng, question, alpha) for (a, b), side in zip(pairs, arranged, strict=True)]
    raw = np.array([c.p for c in compared])
    adjusted = np.full(len(raw), np.nan)
    adjusted[~np.isnan(raw)] = holm(raw[~np.isnan(raw)])
    decided = []
    for (a, b), side, one, p_holm in zip(pairs, arranged, compared, adjusted, strict=True):
        known = replace(one, p_holm=float(p_holm), decision=_decide(one, float(p_holm), question))
        notes = warnings_of(a, b, side, known.interval, known.test, known.p_holm, 1 - question.level)
        decided.append(replace(known, warnings=notes, sentence=sentence(known, tested)))
    return decided


def _compare(a: Group, b: Group, side: Sides, rng: np.random.Generator, question: Question, alpha: float) -> Comparison:
    """One comparison, undecided."""
    runs = (len(side.a), len(side.b))
    nothing = Interval(np.nan, np.nan, np.nan, question.level, "none", runs)
    test, needed = Significance(np.nan, "none", np.nan), None
    interval = effect = improvement = nothing
    if min(runs):
        paired, level = side.paired, question.level
        interval = difference_interval(side.a, side.b, rng, paired, question.statistic, level)
        effect = hedges_g(side.a, side.b, paired, level)
        sign = 1 if question.higher_is_better else -1
        improvement = probability_of_improvement(sign * side.a, sign * side.b, level)
        needed = seeds_to_decide(side.a, side.b, paired, alpha)
        if not too_few(*runs):
            test = difference_test(side.a, side.b, rng, paired, question.statistic, alpha)
    of_a, of_b = (float(centre(v, question.statistic)) if len(v) else np.nan for v in (side.a, side.b))
    blank: Decision = "too few seeds"
    return Comparison(
        a.name, b.name, of_a, of_b, interval, effect, improvement, test, np.nan, runs, side.paired, needed, blank, ()
    )


def _decide(found: Comparison, p_holm: float, question: Question) -> Decision:
    """What may be said at the family's level."""
    if np.isnan(p_holm):
        return "too few seeds"
    if p_holm > 1 - question.level or found.interval.estimate == 0:
        return "no difference shown"
    return "better" if (found.interval.estimate > 0) == question.higher_is_better else "worse"
