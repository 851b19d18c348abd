"""Axes: from data to picture coordinates, with ticks at round numbers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Scale:
    """A linear axis from data ``low … high`` to pixels ``start … end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The pixel of a data value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers (1, 2 or 5 times a power of ten) from ``low`` to ``high``, ends included."""
    step = 10 ** math.floor(math.log10((high - low) / max(1, count - 1)))
    for factor in (1, 2, 5, 10):
        if (high - low) / (step * factor) <= count - 1:
            step *= factor
            break
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def padded_range(values: Iterable[float], least: float = 1e-9) -> tuple[float, float]:
    """The range of ``values``, widened where they are all but equal so that an axis can be drawn."""
    known = list(values)
    low, high = min(known), max(known)
    if high - low < max(least, 1e-6 * max(abs(low), abs(high))):
        margin = max(abs(high) * 0.1, 0.01)
        return low - margin, high + margin
    return low, high


def tick_label(value: float) -> str:
    """A tick without needless digits."""
    if value == 0:
        return "0"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.1e}".replace("e-0", "e-") if abs(value) < 1e-3 else f"{value:g}"


def bucket_means(values: Sequence[float | None], most: int) -> list[float | None]:
    """At most ``most`` values, each the mean of its share of ``values``; a share without any is None."""
    if len(values) <= most:
        return list(values)
    edges = [len(values) * index // most for index in range(most + 1)]
    shares = ([v for v in values[a:b] if v is not None] for a, b in itertools.pairwise(edges))
    return [sum(share) / len(share) if share else None for share in shares]


def moving_mean(values: Sequence[float | None], window: int) -> list[float | None]:
    """The mean of each value and the ``window - 1`` before it; None where these are all missing."""
    means: list[float | None] = []
    for index in range(len(values)):
        share = [v for v in values[max(0, index - window + 1) : index + 1] if v is not None]
        means.append(sum(share) / len(share) if share else None)
    return means
