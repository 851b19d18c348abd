"""Which group was better: for each comparison its estimate, interval, p, effect and a sentence to sign.

The decision follows p after Holm's correction over the family; the interval is that of the single comparison. Fewer
than three runs a side decide nothing, whatever they show. Times to a threshold that a run of the family never got to
are compared by Gehan's test instead, with Kaplan and Meier's medians: those runs are the slow ones.
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
from harness.compare.statistics.times import faster, followed_alike, median_time, slower_test, times_of
from harness.compare.statistics.trimmed import Statistic, centre
from harness.compare.statistics.wording import sentence, warnings_of, warnings_of_times
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
    ``reached`` counts the runs of a and b that got to a threshold, where some did not: then the centres are medians,
    NaN where fewer than half did, and ``improvement`` is the chance to be there first.
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
    reached: tuple[int, int] | None = None

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
    if any(np.isfinite(group.censored).any() for pair in pairs for group in pair):
        return _family_of_times(pairs, rng, question)
    arranged = [sides(a, b, question.paired) for a, b in pairs]
    tested = sum(too_few(len(side.a), len(side.b)) is None for side in arranged)
    alpha = (1 - question.level) / max(tested, 1)
    compared = [_compare(a, b, side, rng, question, alpha) for (a, b), side in zip(pairs, arranged, strict=True)]
    decided = []
    for (a, b), side, one in zip(pairs, arranged, _decided(compared, question), strict=True):
        notes = warnings_of(a, b, side, one.interval, one.test, one.p_holm, 1 - question.level)
        decided.append(replace(one, warnings=notes, sentence=sentence(one, tested)))
    return decided


def _family_of_times(
    pairs: list[tuple[Group, Group]], rng: np.random.Generator, question: Question
) -> list[Comparison]:
    """The same of times, some of which are only known to be longer."""
    compared = [_compare_times(a, b, rng, question) for a, b in pairs]
    tested = sum(not np.isnan(one.p) for one in compared)
    alpha = (1 - question.level) / max(tested, 1)
    return [
        replace(one, warnings=warnings_of_times(a, b, one, alpha), sentence=sentence(one, tested))
        for (a, b), one in zip(pairs, _decided(compared, question), strict=True)
    ]


def _decided(compared: list[Comparison], question: Question) -> list[Comparison]:
    """The comparisons of a family with their corrected p and what may be said."""
    raw = np.array([one.p for one in compared])
    adjusted = np.full(len(raw), np.nan)
    adjusted[~np.isnan(raw)] = holm(raw[~np.isnan(raw)])
    return [
        replace(one, p_holm=p_holm, decision=_decide(one, p_holm, question))
        for one, p_holm in zip(compared, adjusted.tolist(), strict=True)
    ]


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
        needed = seeds_to_decide(side.a, side.b, paired, alpha, statistic=question.statistic)
        if not too_few(*runs):
            test = difference_test(side.a, side.b, rng, paired, question.statistic, alpha)
    of_a, of_b = (float(centre(v, question.statistic)) if len(v) else np.nan for v in (side.a, side.b))
    blank: Decision = "too few seeds"
    return Comparison(
        a.name, b.name, of_a, of_b, interval, effect, improvement, test, np.nan, runs, side.paired, needed, blank, ()
    )


def _compare_times(a: Group, b: Group, rng: np.random.Generator, question: Question) -> Comparison:
    """One comparison of times, some of them censored; undecided."""
    one, other = times_of(a), times_of(b)
    runs, reached = (len(one.at), len(other.at)), (int(one.reached.sum()), int(other.reached.sum()))
    nothing = Interval(np.nan, np.nan, np.nan, question.level, "none", runs)
    of_a, of_b = median_time(one), median_time(other)
    interval, improvement, test = nothing, nothing, Significance(np.nan, "none", np.nan)
    if min(runs):
        interval = replace(nothing, estimate=of_a - of_b, method="Kaplan-Meier medians")
        alike = followed_alike(one, other)
        improvement = replace(nothing, estimate=faster(*alike), method="Gehan's scores")
        test = test if too_few(*runs) else slower_test(*alike, rng)
    blank: Decision = "too few seeds"
    return Comparison(
        a.name,
        b.name,
        of_a,
        of_b,
        interval,
        nothing,
        improvement,
        test,
        np.nan,
        runs,
        False,
        None,
        blank,
        (),
        "",
        reached,
    )


def _decide(found: Comparison, p_holm: float, question: Question) -> Decision:
    """What may be said at the family's level."""
    if np.isnan(p_holm):
        return "too few seeds"
    gap = found.interval.estimate * (1 if question.higher_is_better else -1)
    if found.reached is not None:
        gap = found.improvement.estimate - 0.5  # medians need not exist
    if p_holm > 1 - question.level or gap == 0:
        return "no difference shown"
    return "better" if gap > 0 else "worse"
