"""The answer to "which was better": a number of every run, its groups' intervals, and what may be said of each pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from harness.compare.absent import TOO_LITTLE, absences
from harness.compare.groups import Comparison as Grouping
from harness.compare.groups import RunGroup, group_runs
from harness.compare.load import load_named
from harness.compare.measure import Measure, measured
from harness.compare.metric import complete_metric, default_metric, direction
from harness.compare.prompts import Prompts, prompts_of
from harness.compare.run_data import RunData
from harness.compare.sources import Metric, kin, source, with_mean
from harness.compare.statistics.centres import are_censored, group_intervals
from harness.compare.statistics.intervals import Interval
from harness.compare.statistics.samples import Group
from harness.compare.statistics.summaries import Summary
from harness.compare.statistics.tasks import tasks_interval
from harness.compare.statistics.trimmed import Statistic
from harness.compare.statistics.verdict import Comparison, Question, compare_all_pairs, compare_to_baseline
from harness.errors import ConfigurationError

LINEAR = ("final", "area", "at")
ALL_PROMPTS = "prompts are those of all data sources: the record does not say which is of which"
ASSUMED = "{} does not say whether more of it is better: higher is taken as better; --lower or --higher says it"
OF_ROWS = "values are over all runs and sources, differences over the runs' means of their sources"
SEED = 0  # of resamples and permutations: the same runs give the same numbers
Pairs = Literal["baseline", "all"]


@dataclass(frozen=True)
class Options:
    """How to compare.

    Attributes:
        metric: Whole or part of a name; empty for the usual one.
        higher: Whether more of it is better; None where its name says so.
        measure: Which number of a curve counts.
        statistic: ``mean`` or ``iqm`` over a group's runs.
        by: Keys to group by; empty for what was swept.
        baseline: The group that others are held against; the first if empty.
        pairs: Each group against the baseline, or all against all.
        paired: Whether equal seeds belong together; None where the groups share them.
    """

    metric: str = ""
    higher: bool | None = None
    measure: Measure = field(default_factory=Measure)
    statistic: Statistic = "mean"
    by: tuple[str, ...] = ()
    baseline: str = ""
    pairs: Pairs = "baseline"
    paired: bool | None = None


@dataclass(frozen=True)
class Row:
    """A group in the table.

    Attributes:
        group: Its runs.
        values: A number a run, in their order.
        summaries: The same with where they were taken and what is missing.
        interval: Of their mean; None without a value.
    """

    group: RunGroup
    values: np.ndarray
    summaries: tuple[Summary, ...]
    interval: Interval | None

    @property
    def absent(self) -> Mapping[str, int]:
        """Why runs have no value, with how many: ``{"crashed": 2, "still running": 1}``."""
        return Counter(each.absent for each in self.summaries if each.absent)

    @property
    def seeds(self) -> str:
        """How many runs have a value: ``6``, or ``3 of 6``."""
        known, every = int(np.isfinite(self.values).sum()), len(self.values)
        return str(known) if known == every else f"{known} of {every}"


@dataclass(frozen=True)
class Study:
    """What a comparison found.

    Attributes:
        compared: The metric.
        higher: Whether more of the number that counts is better; of steps until a threshold, less is.
        metric_higher: Whether more of the metric itself is.
        options: How it was compared.
        grouping: Groups, baseline and what else differs.
        rows: A group each, in the grouping's order.
        comparisons: Each group against the baseline, or all pairs; empty with one group.
        prompts: The same over the prompts of the last validation that the groups share, by (a, b).
        notes: What the reader has to know of the numbers.
    """

    compared: Metric
    higher: bool
    metric_higher: bool
    options: Options
    grouping: Grouping
    rows: tuple[Row, ...]
    comparisons: tuple[Comparison, ...]
    prompts: Mapping[tuple[str, str], Prompts]
    notes: tuple[str, ...] = ()

    @property
    def metric(self) -> str:
        """The metric's whole name."""
        return self.compared.name

    @property
    def statistic(self) -> str:
        """What a group's number is: the mean, or of times that some runs never got to, the median."""
        if are_censored([row.summaries for row in self.rows]):
            return "median"
        return "mean" if self.options.statistic == "mean" else "interquartile mean"

    @property
    def runs(self) -> list[RunData]:
        """Every run of the groups."""
        return [run for row in self.rows for run in row.group.runs]


def compare(words: Sequence[str], options: Options | None = None) -> Study:
    """Compare runs.

    Args:
        words: Folders of runs and sweeps, globs, ``wandb:entity/project[/group]``.
        options: How.

    Raises:
        ConfigurationError: There is nothing to compare, or an option fits none of the runs.
    """
    return study_of(load_named(words), options or Options())


def study_of(runs: Sequence[RunData], options: Options) -> Study:
    """Compare runs that are loaded."""
    begun = [run for run in runs if len(run.steps)]
    if not begun:
        raise ConfigurationError("None of these runs has recorded a step yet.", "See harness sweep status.")
    metric = complete_metric(options.metric, begun) if options.metric else default_metric(begun)
    known = direction(metric.name)
    metric_higher = known != "lower" if options.higher is None else options.higher
    higher = metric_higher and options.measure.kind != "until"
    grouping = group_runs(with_mean(runs, metric), options.by, options.baseline)
    rng = np.random.default_rng(SEED)
    groups = [group.runs for group in grouping.groups]
    summaries, notes = measured(groups, metric.name, options.measure, metric_higher)
    intervals = _intervals(groups, summaries, metric, options, rng)
    rows = tuple(map(_row, grouping.groups, summaries, intervals))
    told = [line for row in rows for line in absences(row.group.label, row.group.runs, row.summaries)]
    comparisons = _compared(rows, grouping, Question(options.statistic, higher, options.paired), options.pairs, rng)
    prompts, lost = prompts_of(
        [(each.a, each.b, each.paired) for each in comparisons],
        {group.label: group.runs for group in grouping.groups},
        metric.sources,
        rng,
    )
    grouping = replace(grouping, findings=(*grouping.findings, *lost))
    unread = [f"{run.where}: {why}" for group in grouping.groups for run in group.runs
              for why in run.sample_problems.values()]  # fmt: skip
    said = (
        metric.note,
        ASSUMED.format(metric.name) if options.higher is None and known is None else "",
        OF_ROWS if _by_source(metric, options) and options.statistic == "iqm" else "",
    )
    notes = [*filter(None, said), *told, *notes, *_of_all_sources(metric, prompts.values()), *unread]
    return Study(metric, higher, metric_higher, options, grouping, rows, comparisons, prompts, tuple(notes))


def _of_all_sources(metric: Metric, prompts: Iterable[Prompts]) -> list[str]:
    """A note where an old record does not say of which data source a prompt is, and it matters."""
    unknown = any("" in samples.sources for found in prompts for samples in found.asked.samples)
    names = {name for found in prompts for run in found.asked.a for name in run.metrics} if unknown else set()
    return [ALL_PROMPTS] if set(metric.sources) < {*map(source, kin(names, metric.name))} else []


def _intervals(
    groups: Sequence[Sequence[RunData]],
    summaries: Sequence[Sequence[Summary]],
    metric: Metric,
    options: Options,
    rng: np.random.Generator,
) -> list[Interval | None]:
    """The number of each group; of a mean over sources, over all runs and sources where that can be had."""
    if not _by_source(metric, options):
        return group_intervals(summaries, options.statistic, rng)
    found = [measured(groups, name, options.measure, True)[0] for name in metric.members]
    intervals: list[Interval | None] = []
    for number, of_runs in enumerate(summaries):
        scores = np.array([[each.value for each in of_source[number]] for of_source in found], float).T
        whole = np.isfinite([each.value for each in of_runs]) & np.isfinite(scores).all(1)
        there = whole.any()
        intervals.append(tasks_interval(scores[whole], rng, False, options.statistic) if there else None)
    return intervals


def _by_source(metric: Metric, options: Options) -> bool:
    """Whether a run's number is the mean of those of its sources: the best of a mean is none of the best."""
    return bool(metric.members) and options.measure.kind in LINEAR


def _row(group: RunGroup, found: Sequence[Summary], interval: Interval | None) -> Row:
    return Row(group, np.array([each.value for each in found], float), tuple(found), interval)


def _compared(
    rows: Sequence[Row], grouping: Grouping, question: Question, pairs: Pairs, rng: np.random.Generator
) -> tuple[Comparison, ...]:
    groups = [_as_group(row) for row in rows]
    if len(groups) < 2:
        return ()
    if pairs == "all":
        return tuple(compare_all_pairs(groups, rng, question))
    return tuple(compare_to_baseline(groups, grouping.baseline.label, rng, question))


def _as_group(row: Row) -> Group:
    """The statistics' view: what crashed, goes on or diverged is counted, and not among the values."""
    pairs = list(zip(row.group.runs, row.summaries, strict=True))
    lost = [one.absent for _, one in pairs if _is_lost(one)]
    kept = [(run, one) for run, one in pairs if not _is_lost(one)]
    seeds = [run.seed for run, _ in kept]
    known = tuple(seed for seed in seeds if seed is not None)
    values = np.array([one.value for _, one in kept], float)
    censored = [one.at if one.is_censored else np.nan for _, one in kept]
    return Group(row.group.label, values, known if len(known) == len(seeds) else (), Counter(lost), censored)


def _is_lost(one: Summary) -> bool:
    return bool(one.absent) and one.absent != TOO_LITTLE and not one.is_censored
