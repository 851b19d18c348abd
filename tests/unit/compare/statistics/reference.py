"""The statistics from their definitions, with loops and fractions; shares nothing with the code under test."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction


def mean(values):
    return math.fsum(values) / len(values)


def variance(values):
    centre = mean(values)
    return math.fsum((v - centre) ** 2 for v in values) / (len(values) - 1)


def welch_t(a, b):
    error = math.sqrt(variance(a) / len(a) + variance(b) / len(b))
    gap = mean(a) - mean(b)
    return gap / error if error > 1e-12 else math.copysign(1e12 * abs(gap), gap)


def permutation_p(a, b, statistic=welch_t):
    """Both tails of every dealing, the smaller one doubled."""
    pooled, observed = [*a, *b], statistic(a, b)
    places = range(len(pooled))
    above = below = ways = 0
    for chosen in itertools.combinations(places, len(a)):
        dealt = statistic([pooled[i] for i in chosen], [pooled[i] for i in places if i not in chosen])
        close = math.isclose(dealt, observed, rel_tol=1e-9, abs_tol=1e-9)
        above += dealt > observed or close
        below += dealt < observed or close
        ways += 1
    return min(1.0, 2 * min(above, below) / ways)


def sign_flip_counts(gaps):
    """How many of all sign flips of integers sum to each total."""
    totals = {0: 1}
    for gap in gaps:
        following: dict[int, int] = {}
        for total, ways in totals.items():
            for signed in (total + gap, total - gap):
                following[signed] = following.get(signed, 0) + ways
        totals = following
    return totals


def sign_flip_p(gaps):
    """Both tails of every sign flip of integer gaps, the smaller one doubled."""
    totals, observed = sign_flip_counts(gaps), sum(gaps)
    above = sum(ways for total, ways in totals.items() if total >= observed)
    below = sum(ways for total, ways in totals.items() if total <= observed)
    return min(1.0, 2 * min(above, below) / 2 ** len(gaps))


def binomial_p(k, n):
    """Two-sided, fair coin: twice the smaller tail."""
    tail = sum(math.comb(n, i) for i in range(min(k, n - k) + 1))
    return min(1.0, float(2 * Fraction(tail, 2**n)))


def holm(p):
    """Holm's adjusted p_(i) = max over j ≤ i of min(1, (K − j + 1) p_(j))."""
    ordered = sorted(p)
    return [max(min(1.0, (len(p) - j) * ordered[j]) for j in range(ordered.index(value) + 1)) for value in p]


def improvement(a, b):
    return mean([1.0 if x > y else 0.5 if x == y else 0.0 for x in a for y in b])


def newcombe_gap(theta, true, n, m, z=1.959963984540054):
    """How far a candidate is from being a bound of Newcombe's fifth method, in standard errors."""
    more = (n + m) / 2 - 1
    spread = true * (1 - true) * (1 + more * ((1 - true) / (2 - true) + true / (1 + true))) / (n * m)
    return abs(theta - true) / math.sqrt(spread) - z


def gehan(times_a, reached_a, times_b, reached_b):
    """Gehan's W: over all pairs, how often b is surely slower minus how often a is."""
    total = 0
    for ta, ra in zip(times_a, reached_a, strict=True):
        for tb, rb in zip(times_b, reached_b, strict=True):
            b_slower = ra and (tb > ta or (tb == ta and not rb))
            a_slower = rb and (ta > tb or (ta == tb and not ra))
            total += bool(b_slower) - bool(a_slower)
    return total


def iqm(values):
    """The mean without the lowest and the highest quarter, rounded down."""
    ordered = sorted(values)
    cut = len(values) // 4
    return mean(ordered[cut : len(values) - cut])
