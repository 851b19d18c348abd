"""The words of a comparison: its sentence, and what a reader has to be warned of."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np

from harness.compare.statistics.intervals import Interval
from harness.compare.statistics.power import too_few
from harness.compare.statistics.samples import LEAST_PAIRS, Group, Sides
from harness.compare.statistics.significance import Significance, smallest_p

if TYPE_CHECKING:
    from harness.compare.statistics.verdict import Comparison


#: Ends of runs that their values may have to do with.
NOT_BY_CHANCE = ("crashed", "cancelled", "diverged")


def sentence(found: Comparison, family: int) -> str:
    """What a researcher would write of a comparison.

    Args:
        found: The comparison, decided.
        family: How many comparisons Holm's correction is over.

    Returns:
        Such as "dapo 0.62 vs grpo 0.55: +0.07 [0.01, 0.13], p=0.03 (Holm), 8 seeds each, paired; effect g=1.1: better".
    """
    if found.reached is not None:
        return _sentence_of_times(found, family)
    interval = found.interval
    places = _places(interval)
    bounds = f" [{interval.low:.{places}f}, {interval.high:.{places}f}]" if isfinite(interval.low) else ""
    n, m = found.runs
    seeds = f"{n} seed{'s' * (n != 1)} each" if n == m else f"{n} and {m} seeds"
    a, b = (f"{v:.{places}f}" if isfinite(v) else "without a value" for v in (found.centre_a, found.centre_b))
    gap = f": {interval.estimate:+.{places}f}{bounds}" if isfinite(interval.estimate) else ""
    parts = [
        f"{found.a} {a} vs {found.b} {b}{gap}",
        _p(found.p_holm) + " (Holm)" * (family > 1) if isfinite(found.p_holm) else "",
        f"{seeds}, paired" if found.paired else seeds,
    ]
    effect = f"; effect g={found.effect.estimate:.2g}" if isfinite(found.effect.estimate) else ""
    return ", ".join(filter(None, parts)) + effect + ": " + _conclusion(found)


def _sentence_of_times(found: Comparison, family: int) -> str:
    """Such as "dapo 10 vs grpo 19 (medians), 5 of 8 and 8 of 8 runs got there, p=0.6: no difference shown"."""
    a, b = (f"{v:.4g}" if isfinite(v) else "not reached by half" for v in (found.centre_a, found.centre_b))
    (n, m), (of_a, of_b) = found.runs, found.reached or (0, 0)
    parts = [
        f"{found.a} {a} vs {found.b} {b} (medians)",
        f"{of_a} of {n} and {of_b} of {m} runs got there",
        _p(found.p_holm) + " (Holm)" * (family > 1) if isfinite(found.p_holm) else "",
    ]
    return ", ".join(filter(None, parts)) + ": " + _conclusion(found)


def warnings_of_times(a: Group, b: Group, found: Comparison, alpha: float) -> tuple[str, ...]:
    """What speaks against taking a comparison of times at its word; ``alpha`` is what p has to reach."""
    notes = _left_out(a) + _left_out(b)
    n, m = found.runs
    if n != m:
        notes.append(f"unequal numbers of runs: {n} and {m}")
    if few := too_few(n, m):
        notes.append(few)
    elif found.test.smallest > alpha:
        notes.append(f"so few runs cannot get below p={found.test.smallest:.2g}, and {alpha:.2g} would be needed")
    end = min((at for group in (a, b) for at in group.censored if isfinite(at)), default=np.inf)
    if any((group.measured > end).any() for group in (a, b)):
        notes.append(f"compared up to {end:g}: as far as every run was followed that did not get there")
    return tuple(notes)


def warnings_of(
    a: Group, b: Group, side: Sides, interval: Interval, test: Significance, p_holm: float, alpha: float
) -> tuple[str, ...]:
    """What speaks against taking a comparison at its word; an empty tuple where nothing does."""
    notes = [*side.notes]
    notes += _left_out(a) + _left_out(b)
    shared = set(a.seeds) & set(b.seeds)
    if len(shared) >= LEAST_PAIRS and not side.paired:
        notes.append(f"compared unpaired, although {len(shared)} seeds are shared")
    n, m = len(side.a), len(side.b)
    if n != m:
        uneven = "; p is t's, which takes noise for normal" if test.smallest == 0 else ""
        notes.append(f"unequal numbers of runs: {n} and {m}{uneven}")
    if few := too_few(n, m):
        notes.append(few)
    notes += [note for note in interval.notes if not few or "two runs" not in note]
    pooled = np.concatenate([side.a, side.b])
    if tied := len(pooled) - len(np.unique(pooled)):
        notes.append(f"{tied} of {len(pooled)} values repeat another (ties)")
    if test.smallest == 0 and n == m:
        floor_p = smallest_p(n, m, side.paired)
        notes.append(
            f"so few runs cannot get below p={floor_p:.2g} by permutation: p is t's, which takes noise for normal"
        )
    if (
        isfinite(p_holm)
        and isfinite(interval.low)
        and interval.excludes() != (test.p <= alpha)
        and interval.low < interval.high
    ):
        notes.append("the interval and the raw p disagree about zero: take it as open")
    return tuple(notes)


def _left_out(group: Group) -> list[str]:
    """The runs of a group that are in no number."""
    notes = []
    for what, count in group.lost.items():
        chosen = "; if bad runs end so, it looks too good" if what in NOT_BY_CHANCE else ""
        notes.append(f"{group.name}: {count} {what} and in no number{chosen}")
    if group.missing:
        notes.append(f"{group.name}: {group.missing} of {len(group.values)} runs have no value and are left out")
    return notes


def _conclusion(found: Comparison) -> str:
    """The decision and, where it is open, what would decide."""
    if found.decision in ("better", "worse"):
        return found.decision
    if found.decision == "too few seeds":
        return f"too few seeds ({too_few(*found.runs)})"
    return f"no difference shown ({found.needed.sentence})" if found.needed else "no difference shown"


def _places(interval: Interval) -> int:
    """Decimal places that show two digits of the interval's width, or of the estimate where it has none."""
    width = interval.high - interval.low
    scale = width if isfinite(width) and width > 0 else abs(interval.estimate) / 10
    return min(max(0, 1 - floor(log10(scale))), 12) if isfinite(scale) and scale > 0 else 2


def _p(p: float) -> str:
    """A p-value with one or two digits."""
    return "p<0.001" if p < 0.001 else f"p={p:.2g}" if p < 0.995 else "p=1"
