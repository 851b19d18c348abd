"""How many seeds would decide: the power of the t test (of Yuen's, for ``iqm``) at the difference and noise seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.compare.statistics.intervals import differences
from harness.compare.statistics.samples import finite
from harness.compare.statistics.trimmed import Statistic, centre, error_factor, located

ALPHA = 0.05
POWER = 0.8
LEAST_FOR_INTERVAL = 2
LEAST_FOR_DECISION = 3
MOST = 100_000  # nobody trains so many; the search ends here


@dataclass(frozen=True)
class SeedsNeeded:
    """Seeds a side (pairs, if paired) for a power, were the true difference the one that was seen.

    ``effect`` is that difference in standard deviations (of the differences, if paired). ``needed`` is None where no
    number would do or nothing can be said. A difference seen on few seeds is itself uncertain, and so is ``needed``.
    """

    effect: float
    now: int
    needed: int | None
    sentence: str


def power(effect: float, n: int, alpha: float = ALPHA, paired: bool = False, statistic: Statistic = "mean") -> float:
    """The chance that a two-sided t test of n a side (n pairs) finds a true effect (`scipy.special.nctdtr`).

    Args:
        effect: Cohen's d; for pairs the mean difference in standard deviations of the differences; for ``iqm`` both
            trimmed and winsorised.
        n: Runs a side, at least 2.
        alpha: Level of the test.
        paired: One sample of differences instead of two samples.
        statistic: ``mean`` or ``iqm``.

    Returns:
        A probability, alpha where the effect is 0.
    """
    factor, kept = error_factor(n, statistic)
    freedom = (kept - 1) * (1 if paired else 2)
    shift = abs(effect) / (factor * (1 if paired else np.sqrt(2)))
    critical = special.stdtrit(freedom, 1 - alpha / 2)
    below = special.nctdtr(freedom, shift, -critical)
    return float(1 - special.nctdtr(freedom, shift, critical) + (0.0 if np.isnan(below) else below))


def seeds_needed(
    effect: float, alpha: float = ALPHA, wanted: float = POWER, paired: bool = False, statistic: Statistic = "mean"
) -> int | None:
    """The fewest seeds a side with which a true effect is found with the wanted power; None above 100,000.

    Args:
        effect: As `power` takes it.
        alpha: Level of the test.
        wanted: The power.
        paired: As `power` takes it.
        statistic: As `power` takes it.
    """
    low, high = LEAST_FOR_INTERVAL, LEAST_FOR_INTERVAL
    while power(effect, high, alpha, paired, statistic) < wanted:
        low, high = high, high * 2
        if high > MOST:
            return None
    while low < high:
        middle = (low + high) // 2
        enough = power(effect, middle, alpha, paired, statistic) >= wanted
        low, high = (low, middle) if enough else (middle + 1, high)
    return high


def seeds_to_decide(
    a: np.ndarray,
    b: np.ndarray,
    paired: bool = False,
    alpha: float = ALPHA,
    wanted: float = POWER,
    statistic: Statistic = "mean",
) -> SeedsNeeded:
    """How many seeds a side would decide, judged by two groups as they are.

    Args:
        a: (N,), finite.
        b: (M,), finite; M = N, in the same order of seeds, if paired.
        paired: Equal rows have equal seeds, and more such pairs would be trained.
        alpha: Level of the test.
        wanted: The power.
        statistic: ``mean`` or ``iqm``, as the groups are compared by.

    Returns:
        The number with a sentence; never fewer than 3, the least that `verdict` decides on.

    Raises:
        ValueError: An empty side, values that are not finite, or pairs of unequal length.
    """
    one, other = finite(a), finite(b)
    samples = [differences(one, other)] if paired else [one, other]
    now = min(len(one), len(other))
    if now < LEAST_FOR_INTERVAL:
        return SeedsNeeded(np.nan, now, None, "one run on a side shows no noise to plan by; train 3 seeds first")
    deviation = float(np.sqrt(np.mean([_deviation(sample, statistic) ** 2 for sample in samples])))
    if deviation == 0:
        return SeedsNeeded(np.nan, now, None, "the seeds show no noise to plan by: did they change anything?")
    gap = centre(samples[0], statistic) - (0 if paired else centre(other, statistic))
    effect = float(gap / deviation)
    needed = seeds_needed(effect, alpha, wanted, paired, statistic)
    if needed is not None:
        needed = max(needed, LEAST_FOR_DECISION)
    return SeedsNeeded(effect, now, needed, _sentence(effect, now, needed, paired, statistic))


def _deviation(values: np.ndarray, statistic: Statistic) -> float:
    """The standard deviation, for ``iqm`` of the winsorised values; 0 where they differ by no more than rounding."""
    return float(located(values, statistic).error) / error_factor(len(values), statistic)[0]


def too_few(n: int, m: int) -> str | None:
    """Why n and m runs cannot decide anything, or None where they can."""
    least = min(n, m)
    if least >= LEAST_FOR_DECISION:
        return None
    if least == 0:
        return "a side has no run with a value"
    if least == 1:
        return "one run on a side shows no noise: no interval, no test"
    return "two runs on a side show too little of the noise to decide by"


def _sentence(effect: float, now: int, needed: int | None, paired: bool, statistic: Statistic) -> str:
    """What a researcher would want to know before training more."""
    what = f"the observed difference is {abs(effect):.2g} {'winsorised ' * (statistic == 'iqm')}sd"
    unit = "pairs of seeds" if paired else "seeds a side"
    if needed is None:
        return f"not decidable: {what}; more than {MOST:,} {unit} would be needed"
    if needed <= now:
        return f"{what}: {now} {unit} suffice for it"
    if needed > 10 * now:
        return f"not decidable at this scale: {what}; at least {needed} {unit} would be needed, {now} are there"
    return f"{what}: about {needed} {unit} would decide, {now} are there"
