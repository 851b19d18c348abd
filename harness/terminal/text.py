"""Numbers, times and small curves as text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def seconds(value: float) -> str:
    """A duration: ``0.4 s``, ``12 s``, ``2 min 05 s``, ``3 h 07 min``."""
    if value < 10:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def number(value: float | None, digits: int = 3) -> str:
    """A metric: three decimals, or scientific where that would show nothing; ``–`` for none."""
    if value is None:
        return "–"
    if value != 0 and abs(value) < 10**-digits / 2:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}f}"


def signed(value: float) -> str:
    """A difference with its sign; a true minus sign keeps columns even."""
    return f"{value:+.3f}".replace("-", "−")


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """The course of ``values`` in at most ``width`` characters, each the mean of its share of the values."""
    if not values:
        return ""
    shares = min(width, len(values))
    edges = [len(values) * share // shares for share in range(shares + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(means), max(means)
    if high == low:
        return _BARS[3] * shares
    return "".join(_BARS[round((mean - low) / (high - low) * (len(_BARS) - 1))] for mean in means)
