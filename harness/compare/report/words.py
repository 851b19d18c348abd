"""Numbers and intervals of a comparison in words, with as many decimals as their spread is worth."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, isfinite, log10

from harness.compare.statistics.intervals import Interval


def places(width: float) -> int:
    """Decimals that show two digits of a width; 3 where there is none."""
    return min(max(0, 1 - floor(log10(width))), 8) if isfinite(width) and width > 0 else 3


def value(number: float, decimals: int = 3) -> str:
    """A number with a true minus sign; a dash for none."""
    if not isfinite(number):
        return "–"
    shown = f"{number:.{decimals}f}"
    return shown.lstrip("-") if float(shown) == 0 else shown.replace("-", "−")


def bounds(interval: Interval | None, decimals: int) -> str:
    """The ends of an interval; a dash for none."""
    if interval is None or not isfinite(interval.low):
        return "–"
    return f"[{value(interval.low, decimals)}, {value(interval.high, decimals)}]"


def difference(interval: Interval) -> str:
    """A difference with its sign and its interval."""
    decimals = places(interval.high - interval.low)
    sign = "+" if float(f"{interval.estimate:.{decimals}f}") > 0 else ""
    known = bounds(interval, decimals)
    return sign + value(interval.estimate, decimals) + (f" {known}" if known != "–" else "")


def p(number: float) -> str:
    """A p-value."""
    return "no p" if not isfinite(number) else "p < 0.001" if number < 0.001 else f"p = {number:.2g}"


def states(counts: Mapping[str, int]) -> str:
    """``8 done, 1 failed``."""
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items(), key=lambda item: -item[1]))


def count(number: int, thing: str) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number} {thing}{'s' * (number != 1)}"
