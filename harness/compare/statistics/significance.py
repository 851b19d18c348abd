"""Could seeds alone have made the difference? Permutations of runs, t where they cannot answer, Holm's correction.

A permutation test assumes no distribution, but its p has a floor: three runs a side can be dealt in 20 ways, so that p
is never below 0.1. And its null is that both sides have one distribution: with a noisy small side beside a calm large
one (4 runs, 8 runs, spread 3 to 1) it calls 12 % of equal means different, Welch's t 6 %. So p is t's, which takes the
seeds' noise for normal, where permutations cannot reach the level, and where the sides are unequal in number. The
choice depends on the numbers of runs, not on their values.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from scipy import stats

from harness.compare.statistics.intervals import differences
from harness.compare.statistics.samples import finite
from harness.compare.statistics.trimmed import ROUNDING, Statistic, centre, difference, located

FLIPS_AT_ONCE = 2_000  # a thousand pairs take 16 MB
PERMUTATIONS = 12_870  # C(16, 8): up to eight runs a side, or thirteen pairs, every permutation is tried


@dataclass(frozen=True)
class Significance:
    """A two-sided p of a test; ``smallest`` is what it cannot go below at these numbers of runs, 0 for t."""

    p: float
    method: str
    smallest: float


def permutation_test(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator, statistic: Statistic = "mean"
) -> Significance:
    """Deals the runs to the two sides in every way, or in 12,870 random ones (`scipy.stats.permutation_test`).

    Dealt are values of Welch's t (for ``iqm`` Yuen's), so that with very many runs the sides may differ in spread
    and number (Janssen 1997; Chung and Romano, Annals of Statistics 2013). With few they may not: see `prefers_t`.

    Args:
        a: (N,), finite, N at least 2.
        b: (M,), finite, M at least 2.
        rng: Used where there are more than 12,870 ways.
        statistic: ``mean`` or ``iqm``.

    Returns:
        p in (0, 1]; of random permutations (1 + as extreme) / (1 + tried), which cannot be 0.

    Raises:
        ValueError: A side with fewer than two values, or values that are not finite.
    """
    one, other = finite(a, 2), finite(b, 2)
    floor = 1e-9 * max(float(np.ptp(np.concatenate([one, other]))), np.finfo(float).tiny)

    def studentised(x: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
        found = difference(np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1), statistic)
        return found.estimate / np.maximum(found.error, floor)

    result = stats.permutation_test(
        (one, other), studentised, permutation_type="independent", n_resamples=PERMUTATIONS, vectorized=True, rng=rng
    )
    ways = comb(len(one) + len(other), len(one))
    return Significance(_p(result.pvalue), _name("permutation of runs", ways), smallest_p(len(one), len(other), False))


def sign_flip_test(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator, statistic: Statistic = "mean"
) -> Significance:
    """Swaps the two sides of each pair in every way (`scipy.stats.permutation_test`), or in 12,870 random ones.

    The random ones are a product of matrices for the mean, many times faster than SciPy's loop over permutations.

    Args:
        a: (N,), finite, N at least 2.
        b: (N,), in the same order of seeds (or prompts).
        rng: Used where there are more than thirteen pairs.
        statistic: ``mean`` or ``iqm`` of the differences.

    Returns:
        As `permutation_test`.

    Raises:
        ValueError: Fewer than two pairs, unequal lengths, or values that are not finite.
    """
    gaps = differences(finite(a, 2), finite(b, 2))
    ways = 2 ** len(gaps)
    if ways <= PERMUTATIONS:
        result = stats.permutation_test(
            (gaps,),
            lambda x, axis: centre(x, statistic, axis),
            permutation_type="samples",
            n_resamples=PERMUTATIONS,
            vectorized=True,
        )
        p = float(result.pvalue)
    else:
        p = _random_flips(gaps, statistic, rng)
    return Significance(_p(p), _name("sign flips of pairs", ways), smallest_p(len(gaps), 0, True))


def _random_flips(gaps: np.ndarray, statistic: Statistic, rng: np.random.Generator) -> float:
    """p as `scipy.stats.permutation_test` has it: the smaller tail twice, the values as they are counted to both."""
    found: list[np.ndarray] = []
    for start in range(0, PERMUTATIONS, FLIPS_AT_ONCE):
        rows = min(FLIPS_AT_ONCE, PERMUTATIONS - start)
        kept = rng.integers(0, 2, (rows, len(gaps)), np.int8).astype(float)
        means = (2 * (kept @ gaps) - gaps.sum()) / len(gaps) if statistic == "mean" else None
        found.append(centre((2 * kept - 1) * gaps, statistic) if means is None else means)
    flipped, observed = np.concatenate(found), centre(gaps, statistic)
    rounding = max(abs(float(observed)), float(np.abs(gaps).max())) * ROUNDING
    tails = (flipped >= observed - rounding).sum(), (flipped <= observed + rounding).sum()
    return 2 * (int(min(tails)) + 1) / (PERMUTATIONS + 1)


def t_test(a: np.ndarray, b: np.ndarray, paired: bool = False, statistic: Statistic = "mean") -> Significance:
    """Welch's t test or the paired one (for ``iqm`` Yuen's), as `scipy.stats.ttest_ind` and ``ttest_rel``.

    Raises:
        ValueError: Fewer than two values a side, unequal pairs, values that are not finite, or no spread at all.
    """
    one, other = finite(a, 2), finite(b, 2)
    found = located(differences(one, other), statistic) if paired else difference(one, other, statistic)
    if found.error == 0:
        raise ValueError("No spread: the seeds gave the same value, and t is undefined.")
    p = 2 * stats.t.sf(abs(found.estimate / found.error), found.freedom)
    name = "Yuen's t test" if statistic == "iqm" else "paired t test" if paired else "Welch's t test"
    return Significance(_p(p), name, 0.0)


def difference_test(
    a: np.ndarray,
    b: np.ndarray,
    rng: np.random.Generator,
    paired: bool = False,
    statistic: Statistic = "mean",
    alpha: float = 0.05,
) -> Significance:
    """The permutation test, or the t test where the numbers of runs call for it (`prefers_t`).

    Args:
        a: (N,), finite, N at least 2.
        b: (M,), finite, M at least 2; M = N, in the same order of seeds, if paired.
        rng: Used where not every permutation can be tried.
        paired: Equal rows have equal seeds.
        statistic: ``mean`` or ``iqm``.
        alpha: What p has to reach: the level of the family divided by its number of comparisons.

    Returns:
        Where t is undefined, for want of spread, the permutation test's p whatever it can reach.

    Raises:
        ValueError: As the two tests.
    """
    one, other = finite(a, 2), finite(b, 2)
    found = located(differences(one, other), statistic) if paired else difference(one, other, statistic)
    if prefers_t(len(one), len(other), paired, alpha) and found.error > 0:
        return t_test(one, other, paired, statistic)
    return (sign_flip_test if paired else permutation_test)(one, other, rng, statistic)


def prefers_t(n: int, m: int, paired: bool, alpha: float) -> bool:
    """Whether permutations of n and m runs cannot reach ``alpha``, or may take unequal spread for unequal means."""
    return (not paired and n != m) or smallest_p(n, m, paired) > alpha


def smallest_p(n: int, m: int, paired: bool) -> float:
    """The smallest two-sided p that a permutation test of n and m runs, or of n pairs, can give."""
    ways = 2**n if paired else comb(n + m, n)
    return min(1.0, 2 / ways) if ways <= PERMUTATIONS else 2 / (PERMUTATIONS + 1)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down correction of a family of tests (Scandinavian Journal of Statistics 1979).

    Args:
        p: (K,) raw p-values in [0, 1].

    Returns:
        (K,) adjusted p-values: below α together with a chance of at most α of any false one among them.

    Raises:
        ValueError: A value outside [0, 1].
    """
    raw = finite(p, 0)
    if ((raw < 0) | (raw > 1)).any():
        raise ValueError(f"p-values have to lie in [0, 1]: {raw}.")
    order = np.argsort(raw, kind="stable")
    steps = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    adjusted = np.empty(len(raw))
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _p(value: float) -> float:
    """A p-value that rounding cannot push out of (0, 1]."""
    return float(min(max(float(value), np.finfo(float).tiny), 1.0))


def _name(test: str, ways: int) -> str:
    """The name of a test with how many of its permutations were tried."""
    return f"{test} (exact)" if ways <= PERMUTATIONS else f"{test} ({PERMUTATIONS:,} random)"
