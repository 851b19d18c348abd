"""Validations of several data sources as one metric: the mean over the sources, each with the same weight."""

from __future__ import annotations

import re
from collections import ChainMap, Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.compare.run_data import RunData
from harness.records.quantities import EVERY, VALIDATION

NAMED = 8  # sources that a sentence names


@dataclass(frozen=True)
class Metric:
    """What runs are compared by.

    Attributes:
        name: One of their metrics, or a mean's: ``val-core/*/acc/mean@1``.
        members: What it is the mean of, a metric a source; empty for one of the runs' own.
        left_out: Sources that are not in it, each with why.
    """

    name: str
    members: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The data sources that it is of; none where it is of no validation."""
        return tuple(filter(None, map(source, self.members or (self.name,))))

    @property
    def said(self) -> str:
        """How it comes about, as in ``mean over gsm8k, math, each with the same weight``; empty for one metric."""
        return f"mean over {listed(map(source, self.members))}, each with the same weight" if self.members else ""

    @property
    def note(self) -> str:
        """Which sources are not in it; empty where all are."""
        if not self.left_out:
            return ""
        what = "the mean over sources" if self.members else source(self.name)
        return f"compared by {what} without {listed(self.left_out)}; --metric takes another"


def source(name: str) -> str:
    """The data source of a core validation metric; empty for another metric."""
    match = VALIDATION.fullmatch(name)
    return match["source"] if match else ""


def listed(words: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    every = list(words)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def kin(names: Iterable[str], metric: str) -> list[str]:
    """The metrics that say the same as a core validation metric of each source, itself included; sorted."""
    kind = _kind(metric)
    return sorted(name for name in names if kind and _kind(name) == kind and source(name) != EVERY)


def over_sources(metric: str, runs: Sequence[RunData]) -> Metric:
    """The mean over the sources of which a core validation metric is one.

    In it are the sources that every run has which was validated by this quantity: another set of sources would be
    another number. Where these are fewer than two, it is the metric as it is.

    Args:
        metric: Any of their metrics.
        runs: The runs.
    """
    counts = Counter(name for run in runs for name in run.metrics)
    by_source = {source(name): name for name in sorted(kin(counts, metric), key=counts.__getitem__)}
    asked = sum(any(name in run.metrics for name in by_source.values()) for run in runs)
    shared = sorted(name for name in by_source.values() if counts[name] == asked)
    lacking = {source_: f"{source_} (not in {asked - counts[name]} of {asked} runs)"
               for source_, name in by_source.items() if name not in shared}  # fmt: skip
    others = {source(name): f"{source(name)} ({_variable(name)}, not {_variable(metric)})" for name in sorted(counts)
              if "/mean@" in name and source(name) not in ("", EVERY, *by_source)}  # fmt: skip
    if len(shared) > 1:
        return Metric(_name(shared), tuple(shared), (*lacking.values(), *others.values()))
    lacking.pop(source(metric), None)
    return Metric(metric, (), (*lacking.values(), *others.values()))


def means(runs: Sequence[RunData]) -> dict[str, Metric]:
    """Name → metric of every mean over several sources that the runs have."""
    names = {name for run in runs for name in run.metrics}
    first = {_kind(name): name for name in sorted(names, reverse=True) if source(name) not in ("", EVERY)}
    found = (over_sources(name, runs) for name in first.values())
    return {metric.name: metric for metric in found if metric.members}


def with_mean(runs: Sequence[RunData], metric: Metric) -> list[RunData]:
    """The runs, with a mean over sources among their metrics; a step has it where every source was measured."""
    return [_with(run, metric) if all(name in run.metrics for name in metric.members) else run for run in runs]


def _with(run: RunData, metric: Metric) -> RunData:
    if not metric.members:
        return run
    with np.errstate(invalid="ignore"):  # infinities of both signs: no number, as each of them
        values = np.mean([run.metrics[name] for name in metric.members], axis=0)
    places = {place for name in metric.members for place in run.undefined.get(name, ())}
    undefined = {**run.undefined, metric.name: tuple(sorted(places))}
    metrics = ChainMap({metric.name: values}, run.metrics)  # type: ignore[arg-type]  # nobody writes to it
    return replace(run, metrics=metrics, undefined=undefined)


def _kind(name: str) -> tuple[str, str] | None:
    """What it measures, whatever the source: variable and statistic; a mean of N estimates the same for every N."""
    match = VALIDATION.fullmatch(name)
    if not match:
        return None
    statistic = match["statistic"]
    return match["variable"], re.sub(r"^mean@.*", "mean", statistic)


def _variable(name: str) -> str:
    match = VALIDATION.fullmatch(name)
    return match["variable"] if match else name


def _name(members: Sequence[str]) -> str:
    """``val-core/*/acc/mean@1``; of unequal N ``mean@4,32``."""
    matches = [match for name in members if (match := VALIDATION.fullmatch(name))]
    kind, _, rest = matches[0]["statistic"].partition("@")
    counts = {match["statistic"].partition("@")[2] for match in matches}
    many = ",".join(sorted(counts, key=int)) if kind == "mean" else rest
    return f"val-core/{EVERY}/{matches[0]['variable']}/{kind}@{many}"
