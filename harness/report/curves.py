"""Which curves a report shows, and from which metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records import quantities
from harness.report.charts import Series, legend, line_chart, part_colours, stacked_chart
from harness.report.scales import moving_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

    from harness.records.metrics import StepRecord
    from harness.report.statistics import Estimate

#: Names for verl's timers.
_STAGE_LABELS = {
    "gen": "generation",
    "reward": "reward",
    "old_log_prob": "old log-probs",
    "ref": "reference log-probs",
    "values": "values",
    "adv": "advantage",
    "update_critic": "critic update",
    "update_actor": "actor update",
    "update_weights": "weight sync",
    "save_checkpoint": "checkpoint",
    "other": "other",
}
_MOST_STAGES, _LEAST_SHARE = 8, 0.01


@dataclass(frozen=True)
class Figure:
    """A chart with its caption.

    Args:
        title: What it shows.
        note: How to read it; may be empty.
        picture: The SVG.
        legend: Its legend; may be empty.
        wide: Whether it takes a whole row.
    """

    title: str
    note: str
    picture: Markup
    legend: Markup | None = None
    wide: bool = False


def figures(records: Sequence[StepRecord], intervals: Mapping[int, Estimate]) -> list[Figure]:
    """All figures for which the run has values.

    Args:
        records: Its history.
        intervals: By validation step, the mean of the single scores with its interval.
    """
    steps = [record for record in records if not record.is_validation_only]
    drawn = [
        _reward(steps),
        _validation(records, intervals),
        _single(steps, "Response length", "tokens, mean of the step", quantities.RESPONSE_LENGTH, 2),
        _single(steps, "Entropy", "of the policy, nats a token", quantities.ENTROPY, 4),
        _kl(steps),
        _single(steps, "Gradient norm", "before clipping", quantities.GRADIENT_NORM, 3),
        _step_time(steps),
    ]
    return [figure for figure in drawn if figure is not None and figure.picture]


def _reward(steps: Sequence[StepRecord]) -> Figure | None:
    xs, ys = _values(steps, lambda metrics: quantities.number(metrics, quantities.REWARD))
    if not xs:
        return None
    window = max(3, min(50, len(xs) // 8))
    smooth = Series(f"mean of {window} steps", xs, moving_mean(ys, window), 0)
    raw = Series("each step", xs, ys, 0, "faint")
    chart = line_chart("Training reward over steps", [raw, smooth], xs[-1])
    return Figure(
        "Training reward",
        f"each step, and the mean of it and the {window - 1} before",
        chart,
        legend([("each step", 0, "faint"), (smooth.label, 0, "line")]),
    )


def _validation(records: Sequence[StepRecord], intervals: Mapping[int, Estimate]) -> Figure | None:
    names = sorted({n for r in records for n in quantities.validation_metrics(r.metrics) if "/mean@" in n})
    series = []
    for colour, name in enumerate(names[:6], start=1):
        points = [(r.step, v) for r in records if (v := quantities.number(r.metrics, (name,))) is not None]
        xs, ys = [step for step, _ in points], [value for _, value in points]
        # The scores of single samples are one pool: they say how sure a curve is only where there is one.
        sure = len(names) == 1 and all(_covers(intervals.get(step), value) for step, value in points)
        bars = [(intervals[step].low, intervals[step].high) for step in xs] if sure else None
        series.append(Series(quantities.validation_label(name), xs, ys, colour, "points", bars))
    if not series:
        return None
    note = "held-out data" + (", with 95 % intervals" if any(one.bars for one in series) else "")
    keys = legend([(one.label, one.colour, "points") for one in series])
    chart = line_chart("Validation over steps", series, max(record.step for record in records))
    return Figure("Validation", note, chart, keys)


def _covers(interval: Estimate | None, value: float) -> bool:
    return interval is not None and abs(interval.value - value) < 0.005


def _kl(steps: Sequence[StepRecord]) -> Figure | None:
    to_reference = _single(steps, "KL to the reference model", "mean of the step", quantities.KL_TO_REFERENCE, 5)
    return to_reference or _single(steps, "KL of the update", "old policy to new", quantities.KL_OF_UPDATE, 5)


def _single(steps: Sequence[StepRecord], title: str, note: str, names: tuple[str, ...], colour: int) -> Figure | None:
    xs, ys = _values(steps, lambda metrics: quantities.number(metrics, names))
    if not any(ys):  # none, or zero by construction, as the KL of a single on-policy mini-batch
        return None
    return Figure(title, note, line_chart(f"{title} over steps", [Series(title.lower(), xs, ys, colour)], xs[-1]))


def _values(
    steps: Sequence[StepRecord], value: Callable[[Mapping[str, Any]], float | None]
) -> tuple[list[int], list[float | None]]:
    """Steps and values; no steps at all where there is not one value."""
    ys = [value(record.metrics) for record in steps]
    return ([record.step for record in steps], ys) if any(y is not None for y in ys) else ([], [])


def _step_time(steps: Sequence[StepRecord]) -> Figure | None:
    tables = [quantities.seconds_by_stage(record.metrics) for record in steps]
    totals: dict[str, float] = {}
    for table in tables:
        for name, value in table.items():
            totals[name] = totals.get(name, 0.0) + value
    # The largest stages get a colour each; the rest, which nobody would see, joins "other".
    visible = (name for name in totals if name != "other" and totals[name] > _LEAST_SHARE * sum(totals.values()))
    largest = sorted(visible, key=lambda name: -totals[name])[: _MOST_STAGES - 1]
    kept = [name for name in totals if name in largest]
    if not kept:
        return None
    parts: dict[str, list[float | None]] = {
        _STAGE_LABELS.get(name, name.replace("_", " ")): [table.get(name, 0.0) for table in tables] for name in kept
    }
    parts["other"] = [sum(v for name, v in table.items() if name not in kept) for table in tables]
    keys = [(label, colour, "box") for label, colour in part_colours(parts).items()]
    xs = [record.step for record in steps]
    return Figure(
        "Where the time of a step goes",
        "seconds, validation aside",
        stacked_chart("Seconds of each step by stage", xs, parts),
        legend(keys),
        wide=True,
    )
