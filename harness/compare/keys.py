"""Which keys a set of runs was swept over, and each run's value of them.

What a person wrote counts first: ``algorithm=dapo`` changes many values of the resolved configuration and is one key.
Where words do not tell two experiments apart (another experiment's file, runs of W&B's), resolved keys do, as few as
will.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from harness.compare.run_data import RunData, flat
from harness.config.fingerprint import IGNORED, IGNORED_ANYWHERE
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError

DEFAULT = "default"  # of a key that a run was not given, and whose value is not in its record
DETECTED = frozenset({"device", "rollout"})  # groups whose default is what a word may say too: it fits the machine
IGNORED_GROUPS = frozenset({"tracking", "sweep"})  # choices whose keys decide nothing, beside those of IGNORED


class Values:
    """The values of keys over a set of runs.

    Args:
        runs: The runs.
    """

    def __init__(self, runs: Sequence[RunData]) -> None:
        self.runs = runs
        self._given = {id(run): given(run.words) for run in runs}
        self._alike: dict[str, dict[str, set[str]]] = {}
        self._configs: dict[int, dict[str, Any]] = {}

    def of(self, name: str, run: RunData) -> str:
        """The value of a key: a word's, a resolved key's, or the seed."""
        if name == "seed":
            return shown(run.seed)
        if name in run.settings.flat:
            return shown(run.settings.flat[name])
        if name in self._given[id(run)]:
            return self._given[id(run)][name]
        if name in run.settings.choices:
            return run.settings.choices[name]
        if name not in self.words:
            return shown(self._whole(run).get(name))
        said = self._of_its_like(name).get(run.settings.identity, set())
        return next(iter(said)) if len(said) == 1 else DEFAULT  # the same experiment says it in words elsewhere

    @cached_property
    def words(self) -> list[str]:
        """Keys that words name, in the order of their appearance."""
        return list(dict.fromkeys(name for run in self.runs for name in self._given[id(run)]))

    @cached_property
    def experiments(self) -> dict[str, RunData]:
        """A run of each experiment: they differ in what decides the result."""
        return {run.settings.identity: run for run in reversed(self.runs)}

    def swept(self) -> tuple[list[str], list[str]]:
        """The keys that tell the experiments apart.

        Returns:
            Those keys, and further ones that differ between experiments that were given the same words.
        """
        alone = list(dict.fromkeys(run.settings.identity for run in self.runs))
        runs = [self.experiments[identity] for identity in alone]
        words = [name for name in self.words if not _is_ignored(name) and self._decides(name, runs)]
        for name in DETECTED.intersection(words):
            others = [each for each in words if each != name]
            if any(self.of(name, run) == DEFAULT for run in runs) and self._tell_apart(others, runs):
                words = others
        settings, rest = self._few({id(run): tuple(self.of(name, run) for name in words) for run in runs}, runs)
        return [*words, *settings], rest

    def named(self, name: str) -> str:
        """The whole name of a key that was given in full or by its end.

        Raises:
            ConfigurationError: No run has it, or several keys end so.
        """
        whole = flat(self.runs[0].config) if self.runs else {}
        keys = (key for run in self.experiments.values() for key in (*run.settings.choices, *run.settings.flat))
        known = dict.fromkeys([*self.words, *keys])
        if name in known or name == "seed" or name in whole:
            return name
        ends = [key for key in known if key.endswith(f".{name}")]
        differ = [key for key in ends if len({self.of(key, run) for run in self.runs}) > 1]
        found = differ or ends
        if len(found) == 1:
            return found[0]
        if found:
            raise ConfigurationError(f"{name} could be {', '.join(sorted(found))}.", "Write more of it.")
        swept, _ = self.swept()
        remedy = f"These runs differ in {', '.join(swept)}." if swept else "These runs differ in nothing but seeds."
        close = did_you_mean(name, list(known))
        raise ConfigurationError(
            f"{name} is no key of these runs.", f"{close} {remedy}" if close.startswith("Did") else remedy
        )

    def _decides(self, name: str, runs: Sequence[RunData]) -> bool:
        """Whether a word's key has one value in each experiment, and not the same in all."""
        resolved = any(name in run.settings.flat for run in runs)
        if not resolved and any(len(values) > 1 for values in self._of_its_like(name).values()):
            return False
        return len({self.of(name, run) for run in runs}) > 1

    def _tell_apart(self, names: Sequence[str], runs: Sequence[RunData]) -> bool:
        return len({tuple(self.of(name, run) for name in names) for run in runs}) == len(runs)

    def _of_its_like(self, name: str) -> dict[str, set[str]]:
        """Experiment → the word's values in the runs that were given it."""
        if name not in self._alike:
            said = self._alike[name] = {}
            for run in self.runs:
                if name in self._given[id(run)]:
                    said.setdefault(run.settings.identity, set()).add(self._given[id(run)][name])
        return self._alike[name]

    def _few(self, labels: dict[int, tuple[str, ...]], runs: Sequence[RunData]) -> tuple[list[str], list[str]]:
        """As few resolved keys as tell apart what has the same label; and the rest of those that differ."""
        alike: dict[tuple[str, ...], list[RunData]] = {}
        for run in runs:
            alike.setdefault(labels[id(run)], []).append(run)
        open_ = [group for group in alike.values() if len(group) > 1]
        left = sorted({key for group in open_ for key in _differing(group)}, key=lambda key: (key.count("."), key))
        chosen: list[str] = []
        while any(len(group) > 1 for group in open_) and left:
            best = max(left, key=lambda key: sum(len(_parts(group, key)) for group in open_))
            parts = [part for group in open_ for part in _parts(group, best)]
            if len(parts) == len(open_):
                break
            open_ = parts
            chosen.append(best)
            left.remove(best)
        return chosen, left

    def _whole(self, run: RunData) -> dict[str, Any]:
        if id(run) not in self._configs:
            self._configs[id(run)] = flat(run.config)
        return self._configs[id(run)]


def given(words: Iterable[str]) -> dict[str, str]:
    """Key → value of overrides; of one that was given twice, the later."""
    found = {}
    for word in words:
        key, _, value = word.lstrip("+~").partition("=")
        found[key] = "removed" if word.startswith("~") else value.strip("'\"")
    return found


def shown(value: Any) -> str:
    """A value as an override has it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return json.dumps(value, separators=(",", ":"), default=str) if isinstance(value, list | dict) else str(value)


def _is_ignored(name: str) -> bool:
    parts = name.split(".")
    sections = {".".join(parts[: index + 1]) for index in range(len(parts))}
    return bool(sections & set(IGNORED) or set(parts) & IGNORED_ANYWHERE or name in IGNORED_GROUPS)


def _differing(runs: Sequence[RunData]) -> list[str]:
    keys = dict.fromkeys(key for run in runs for key in run.settings.flat)
    return [key for key in keys if len(_parts(runs, key)) > 1]


def _parts(runs: Sequence[RunData], key: str) -> list[list[RunData]]:
    """Runs by their value of a resolved key."""
    parts: dict[str, list[RunData]] = {}
    for run in runs:
        parts.setdefault(shown(run.settings.flat.get(key)), []).append(run)
    return list(parts.values())
