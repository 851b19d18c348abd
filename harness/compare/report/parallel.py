"""A sweep at a glance: an axis a swept key and one for the metric, a line a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, log10

from markupsafe import Markup

from harness.compare.report import words
from harness.compare.study import Study
from harness.config.words import short_keys
from harness.report.scales import Scale, nice_ticks, padded_range, tick_label

LEAST_KEYS, LEAST_GROUPS = 3, 9
WIDTH, HEIGHT = 1080, 320
_TOP, _BOTTOM, _SIDE = 34, 14, 90
MOST_NAMED = 9  # values of an axis that get a place each; more numbers share a scale
SHADES = 8
LONGEST = 22

Axis = tuple[str, Callable[[str], float], list[tuple[str, float]]]


def is_large(study: Study) -> bool:
    """Whether so much was swept that the picture says more than the table."""
    measured, keys = sum(row.interval is not None for row in study.rows), len(study.grouping.keys)
    return keys > 0 and measured > 1 and (keys >= LEAST_KEYS or measured >= LEAST_GROUPS)


def parallel_coordinates(study: Study, label: str) -> Markup:
    """The picture; empty where there are few keys and few groups.

    Args:
        study: The comparison.
        label: The metric's name for people.
    """
    rows = [row for row in study.rows if row.interval is not None]
    keys = study.grouping.keys
    if not is_large(study):
        return Markup("")
    estimates = [row.interval.estimate for row in rows if row.interval]
    axes = [
        _axis(name, [row.group.values[key] for row in rows]) for key, name in zip(keys, short_keys(keys), strict=True)
    ]
    ticks = nice_ticks(*padded_range(estimates))
    metric = Scale(ticks[0], ticks[-1], HEIGHT - _BOTTOM, _TOP)
    xs = [_SIDE + index * (WIDTH - 2 * _SIDE) / len(axes) for index in range(len(axes) + 1)]
    best = Scale(*padded_range(estimates), 0, SHADES - 1)
    drawn = Markup("")
    for row, estimate in sorted(zip(rows, estimates, strict=True), key=lambda pair: pair[1]):
        ys = [place(row.group.values[key]) for key, (_, place, _) in zip(keys, axes, strict=True)]
        said = f"{row.group.label}: {words.value(estimate, 4)}"
        values = "\n".join(row.group.values[key] for key in keys)
        drawn += Markup('<path class="way v{}" d="{}" data-said="{}" data-values="{}"/>').format(
            round(best(estimate)), _way(xs, [*ys, metric(estimate)]), said, values
        )
    for number, ((name, _, marks), x) in enumerate(zip(axes, xs, strict=False)):
        drawn += _drawn_axis(name, marks, x, number)
    drawn += _drawn_axis(label, [(tick_label(tick), metric(tick)) for tick in ticks], xs[-1], None)
    return Markup('<svg class="chart parallel" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, f"{len(rows)} groups over {', '.join(keys)} and {label}", drawn
    )


def _axis(name: str, values: Sequence[str]) -> Axis:
    """Its name, where a value lies, and its ticks."""
    unique = sorted(set(values), key=lambda value: (_number(value) is None, _number(value) or 0.0, value))
    numbers = [number for value in unique if (number := _number(value)) is not None]
    if len(unique) <= MOST_NAMED or len(numbers) < len(unique):
        scale = Scale(0, max(len(unique) - 1, 1), HEIGHT - _BOTTOM, _TOP)
        place = {value: scale(index if len(unique) > 1 else 0.5) for index, value in enumerate(unique)}
        return name, place.__getitem__, [(value, place[value]) for value in unique]
    logarithmic = numbers[0] > 0 and numbers[-1] / numbers[0] >= 50
    taken: Callable[[float], float] = log10 if logarithmic else float
    scale = Scale(taken(numbers[0]), taken(numbers[-1]), HEIGHT - _BOTTOM, _TOP)
    ticks = nice_ticks(scale.low, scale.high)
    marks = [(f"{10**tick:.2g}" if logarithmic else tick_label(tick), scale(tick)) for tick in ticks
             if scale.low <= tick <= scale.high]  # fmt: skip
    return name, lambda value: scale(taken(float(value))), marks


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _way(xs: Sequence[float], ys: Sequence[float]) -> str:
    """A smooth line from axis to axis."""
    parts = [f"M{xs[0]:.1f} {ys[0]:.1f}"]
    for index in range(1, len(xs)):
        middle = (xs[index - 1] + xs[index]) / 2
        parts.append(f"C{middle:.1f} {ys[index - 1]:.1f} {middle:.1f} {ys[index]:.1f} {xs[index]:.1f} {ys[index]:.1f}")
    return "".join(parts)


def _drawn_axis(name: str, marks: Sequence[tuple[str, float]], x: float, number: int | None) -> Markup:
    """A line with its name above; the values of a key can be chosen, see ``parallel.js``."""
    drawn = Markup('<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(x, _TOP, HEIGHT - _BOTTOM)
    drawn += Markup('<text class="name" x="{:.1f}" y="14" text-anchor="middle">{}</text>').format(x, _short(name))
    for value, y in marks:
        choice = Markup("") if number is None else Markup(' data-axis="{}" data-value="{}"').format(number, value)
        drawn += Markup('<rect class="plate" x="{:.1f}" y="{:.1f}" width="{}" height="16" rx="3"/>').format(
            x + 5, y - 8, 6 + 7 * len(_short(value))
        )
        drawn += Markup('<text class="tick" x="{:.1f}" y="{:.1f}" dy=".32em"{}><title>{}</title>{}</text>').format(
            x + 8, y, choice, value, _short(value)
        )
    return drawn


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
