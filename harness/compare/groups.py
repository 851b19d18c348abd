"""Groups of runs: one a value of what was swept, with the seeds as its repetitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from harness.compare.absent import how_it_ended
from harness.compare.findings import Finding, find_differences
from harness.compare.keys import Values
from harness.compare.run_data import RunData
from harness.compare.sources import listed
from harness.config.suggest import did_you_mean
from harness.config.words import short_keys
from harness.errors import ConfigurationError

ESTIMATOR = "algorithm.adv_estimator"
FAILED = "failed or stopped runs"
STOPPED = ("cancelled", "preempted")


@dataclass(frozen=True)
class RunGroup:
    """Repetitions of one experiment.

    Attributes:
        label: What it differs in from the other groups: ``algorithm=dapo lr=1e-06``.
        values: Key → its value, by the whole names of the keys.
        runs: A run a seed, ascending; those without a known seed last.
        set_aside: Runs of a seed that another run of the group has too.
    """

    label: str
    values: Mapping[str, str]
    runs: tuple[RunData, ...]
    set_aside: tuple[RunData, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """The known seeds, ascending."""
        return tuple(sorted({run.seed for run in self.runs if run.seed is not None}))

    @property
    def states(self) -> Mapping[str, int]:
        """How many runs are in each state, such as ``{"done": 4, "failed": 1}``."""
        return Counter(run.state for run in self.runs)

    @property
    def last_steps(self) -> Mapping[int, int]:
        """Last recorded step → how many runs end there."""
        return Counter(sorted(run.last_step for run in self.runs))

    @property
    def gpu_hours(self) -> float:
        """Of all its runs."""
        return sum(run.gpu_hours for run in self.runs)


@dataclass(frozen=True)
class Comparison:
    """Runs as groups.

    Attributes:
        keys: What makes the groups; empty where there is one.
        groups: In the order in which their first runs were named.
        baseline: The group that the others are held against.
        findings: What else differs.
    """

    keys: tuple[str, ...]
    groups: tuple[RunGroup, ...]
    baseline: RunGroup
    findings: tuple[Finding, ...]

    @property
    def missing_seeds(self) -> Mapping[str, tuple[int, ...]]:
        """Label → the seeds that other groups have and it has not; without the groups that have them all."""
        return {} if "seed" in self.keys else missing_seeds(self.groups)


def group_runs(runs: Sequence[RunData], by: Sequence[str] = (), baseline: str = "") -> Comparison:
    """Group runs by what they were swept over.

    Args:
        runs: The runs, at least one.
        by: Keys to group by instead: resolved keys, group names or ``seed``, whole or by their ends.
        baseline: A group's label, or a value that one group alone has; the first group if empty.

    Raises:
        ConfigurationError: There are no runs, or a name is not theirs; what is allowed is told.
    """
    if not runs:
        raise ConfigurationError("There are no runs to compare.")
    values = Values(runs)
    swept, rest = values.swept()
    keys = list(dict.fromkeys(values.named(name) for name in by)) or swept
    made: dict[tuple[str, ...], list[RunData]] = {}
    for run in runs:
        shown = tuple(values.of(key, run) for key in keys)
        made.setdefault(shown if by else (*shown, run.settings.identity), []).append(run)
    labels = _unique([_label(keys, shown, members) for shown, members in made.items()])
    groups, twice = [], []
    for label, (shown, members) in zip(labels, made.items(), strict=True):
        kept, aside = _one_a_seed(members)
        groups.append(RunGroup(label, dict(zip(keys, shown, strict=False)), tuple(kept), tuple(aside)))
        twice += [_twice(label, run, kept) for run in aside]
    others: dict[str, Callable[[RunData], str]] = {
        key: partial(values.of, key) for key in (*swept, *rest) if key not in keys
    }
    found = find_differences({group.label: group.runs for group in groups}, keys, others)
    compared = Comparison(tuple(keys), tuple(groups), _baseline(groups, baseline), ())
    return replace(compared, findings=(*found, *_of_runs(compared), *twice))


def missing_seeds(groups: Sequence[RunGroup]) -> dict[str, tuple[int, ...]]:
    """Label → the seeds that other groups have and it has not; without the groups that have them all."""
    every = {seed for group in groups for seed in group.seeds}
    missing = {group.label: tuple(sorted(every - set(group.seeds))) for group in groups}
    return {label: seeds for label, seeds in missing.items() if seeds}


def _of_runs(compared: Comparison) -> Iterator[Finding]:
    """Repetitions that are missing, failed or were stopped: if that has to do with their values, the rest deceives."""
    for label, seeds in compared.missing_seeds.items():
        yield Finding("missing seeds", "runs", {}, (label,), f"{label} has no run of seed {listed(map(str, seeds))}")
    for group in compared.groups:
        ended = [run for run in group.runs if run.state == "failed" or (run.state in STOPPED and not run.is_whole)]
        if ended:
            told = listed(f"{run.where} {how_it_ended(run)}" for run in ended)
            note = f"{len(ended)} of {len(group.runs)} of {group.label}: {told}"
            yield Finding(FAILED, "runs", {}, (group.label,), note)


def _label(keys: Sequence[str], shown: Sequence[str], runs: Sequence[RunData]) -> str:
    """Names from a sweep's file come first, as in the sweep's own table."""
    names = {_point(run.label) for run in runs}
    name = names.pop() if len(names) == 1 else ""
    pairs = [f"{key}={value}" for key, value in zip(short_keys(keys), shown, strict=False)]
    return " ".join(filter(None, [name, *pairs])) or runs[0].name or "all runs"


def _point(label: str) -> str:
    """The name that a sweep's file gives a point, of a label such as ``baseline algorithm=ppo seed=1``."""
    words = label.split(" ")
    end = next((index for index, word in enumerate(words) if "=" in word), len(words))
    name = " ".join(words[:end])
    return "" if name == "run" else name


def _unique(labels: Sequence[str]) -> list[str]:
    """Labels of experiments that nothing tells apart get a number."""
    met = Counter[str]()
    unique = []
    for label in labels:
        met[label] += 1
        unique.append(label if labels.count(label) == 1 else f"{label} ({met[label]})")
    return unique


def _one_a_seed(runs: Sequence[RunData]) -> tuple[list[RunData], list[RunData]]:
    """Of runs of one experiment with one seed the finished one, the longer one, or the later one; and the others."""
    same: dict[object, list[RunData]] = {}
    for run in runs:
        same.setdefault((run.settings.identity, run.seed) if run.seed is not None else id(run), []).append(run)
    kept = [max(each, key=lambda run: (run.state == "done", run.last_step, run.run_id)) for each in same.values()]
    kept.sort(key=lambda run: (run.seed is None, run.seed or 0))
    return kept, [run for run in runs if not any(run is taken for taken in kept)]


def _twice(label: str, left: RunData, kept: Sequence[RunData]) -> Finding:
    taken = next(run for run in kept if run.seed == left.seed and run.settings.identity == left.settings.identity)
    if taken.state == "done" != left.state:
        why = "it finished"
    else:
        why = "it is longer" if taken.last_step > left.last_step else "it is the later one"
    note = f"{label} has seed {left.seed} twice: {taken.where} is taken ({why}), {left.where} is not"
    return Finding("repeated seed", "record", {str(left.seed): (taken.where, left.where)}, (label,), note)


def _baseline(groups: Sequence[RunGroup], wanted: str) -> RunGroup:
    """The group with a label or a value.

    Raises:
        ConfigurationError: None has it, or several have.
    """
    if not wanted:
        return groups[0]
    labels = [group.label for group in groups]
    if wanted in labels:
        return groups[labels.index(wanted)]
    found = [group for group in groups if wanted in _values(group)]
    found = found or [group for group in groups if wanted in _estimators(group)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(group.label for group in found)
        raise ConfigurationError(f"baseline {wanted}: several groups have it: {listed}.", "Write one's whole label.")
    every = [value for group in groups for value in (group.label, *group.values.values())]
    close = did_you_mean(wanted, every)
    groups_are = f"The groups are: {', '.join(labels)}."
    remedy = f"{close} {groups_are}" if close.startswith("Did") else groups_are
    raise ConfigurationError(f"baseline {wanted}: no group has this value.", remedy)


def _estimators(group: RunGroup) -> set[str]:
    """What an old record has for an algorithm that no word chose."""
    return {str(run.settings.flat.get(ESTIMATOR)) for run in group.runs}


def _values(group: RunGroup) -> set[str]:
    short = zip(short_keys(list(group.values)), group.values.values(), strict=True)
    pairs = {f"{key}={value}" for key, value in (*group.values.items(), *short)}
    return pairs | set(group.values.values()) | set(group.label.split(" ")[:1])
