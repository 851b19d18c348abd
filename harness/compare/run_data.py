"""A run as it is compared: its numbers in arrays, what it was made of, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from harness.compare.cache import Cache
from harness.compare.columns import TOKENS
from harness.compare.reading import READ_ERRORS, Unreadable, read_all, unreadable
from harness.compare.samples import SAMPLES, Samples
from harness.config.fingerprint import deciding
from harness.records.generations import Generation, read_generations, validation_steps
from harness.records.run_folder import RunFolder
from harness.records.status import Status


class Settings:
    """What decides a run's result; runs with one recorded fingerprint share it.

    Args:
        config: The resolved configuration of one of them; empty where it is unknown.
        fingerprint: As recorded.
    """

    def __init__(self, config: dict[str, Any], fingerprint: str = "") -> None:
        self._config = config
        self._fingerprint = fingerprint

    @property
    def whole(self) -> dict[str, Any]:
        """All of that configuration: what does not decide may be another in other runs."""
        return self._config

    @cached_property
    def choices(self) -> dict[str, str]:
        """Group → the option that was chosen, by a word or without one; empty in a record that does not say."""
        tracking = self._config.get("tracking")
        known = tracking.get("choices") if isinstance(tracking, dict) else None
        return {group: _option(chosen) for group, chosen in known.items()} if isinstance(known, dict) else {}

    @cached_property
    def tree(self) -> dict[str, Any]:
        """The part of the configuration that decides."""
        return deciding(self._config)

    @cached_property
    def flat(self) -> dict[str, Any]:
        """Dotted key → value; lists are values."""
        return flat(self.tree)

    @cached_property
    def identity(self) -> str:
        """Equal for equal settings, whichever version of the harness took the recorded fingerprint."""
        text = json.dumps(self.tree, sort_keys=True, default=str) if self.tree else self._fingerprint
        return sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class RunData:
    """A run.

    Attributes:
        where: Its folder as a person types it, or its address in W&B.
        run_id, name: Its own name and its experiment's.
        label: What its sweep calls it; empty outside a sweep.
        seed: Its seed; None where it is not recorded.
        words: The overrides that it was given.
        provenance: What made it, as recorded; empty where nothing is.
        status: What is true of it now.
        steps: Ascending; 0 is the validation before training.
        times: Seconds that it had worked when each step was written; the time that it was down is left out.
        metrics: Name → a value a step, NaN where there is none.
        undefined: Name → the places where NaN was recorded, which is another thing than nothing.
        seconds: How long it has worked in all.
        settings: What decides its result.
        config_reader: Reads its whole configuration.
        folder: Its folder; None for a run of W&B's.
        problems: What of its record could not be read, in plain words.
        sample_problems: Step → the same of its samples, which are read when asked for, see `load_samples`.
    """

    where: str
    run_id: str
    name: str
    label: str
    seed: int | None
    words: tuple[str, ...]
    provenance: Mapping[str, Any]
    status: Status
    steps: np.ndarray
    times: np.ndarray
    metrics: Mapping[str, np.ndarray]
    seconds: float
    settings: Settings
    config_reader: Callable[[], dict[str, Any]] = field(repr=False)
    folder: RunFolder | None = None
    undefined: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    sample_problems: dict[int, str] = field(default_factory=dict, repr=False)
    _samples: dict[int, Samples | None] = field(default_factory=dict, repr=False)

    def __repr__(self) -> str:
        return f"RunData({self.where}, {self.state}, {len(self.steps)} steps)"

    @property
    def state(self) -> str:
        """``done``, or how it stands: ``running``, ``failed``, ``cancelled``, ``preempted``, ``pending``."""
        return self.status.state

    @property
    def last_step(self) -> int:
        """The last recorded step; -1 before the first."""
        return int(self.steps[-1]) if len(self.steps) else -1

    @property
    def planned_steps(self) -> int | None:
        """How many steps it was to take; None where nobody knows."""
        trainer = self.settings.tree.get("trainer") or {}
        return self.status.total_steps or trainer.get("total_training_steps")

    @property
    def is_whole(self) -> bool:
        """Whether it has trained to its end: it is done, or has recorded the last step that was planned."""
        return self.state == "done" or bool(self.planned_steps and self.last_step >= self.planned_steps)

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its whole resolved configuration; read when asked for, empty where it cannot be."""
        return self.config_reader()

    @cached_property
    def tokens(self) -> np.ndarray:
        """Tokens trained on up to each step; NaN where they were not recorded."""
        taken = self.metrics.get(TOKENS)
        return np.full(len(self.steps), np.nan) if taken is None else np.nancumsum(taken)

    @property
    def gpus(self) -> int:
        """How many GPUs it asked for; 0 on a CPU, whose device slots verl calls GPUs too."""
        trainer = self.settings.tree.get("trainer") or {}
        if trainer.get("device") == "cpu":
            return 0
        return int(trainer.get("nnodes") or 0) * int(trainer.get("n_gpus_per_node") or 0)

    @property
    def gpu_hours(self) -> float:
        """GPUs by the hours that it has worked."""
        return self.gpus * self.seconds / 3600

    @cached_property
    def sample_steps(self) -> list[int]:
        """The steps whose validation left its samples."""
        return validation_steps(self.folder.generations) if self.folder else []

    def samples(self, step: int) -> Samples | None:
        """The samples of the validation at a step; None where there are none, or none that can be read."""
        load_samples([(self, step)])
        return self._samples[step]

    def generations(self, step: int) -> list[Generation]:
        """The same with their texts, which are read each time; nothing where they cannot be read."""
        if self.samples(step) is None or not self.folder:
            return []
        try:
            return read_generations(self.folder.generations, step)
        except READ_ERRORS as error:  # it has changed since
            self.sample_problems[step] = unreadable(self.folder.generations / f"{step}.jsonl", error).why
            return []


def load_samples(wanted: Iterable[tuple[RunData, int]]) -> None:
    """Read the samples of many runs at once, each at a step; the runs keep them.

    Args:
        wanted: Runs with the step of a validation.
    """
    missing = [(run, step) for run, step in wanted if step not in run._samples]
    files = {(id(run), step): run.folder.generations / f"{step}.jsonl"
             for run, step in missing if run.folder and step in run.sample_steps}  # fmt: skip
    found = read_all(list(dict.fromkeys(files.values())), SAMPLES, Cache())
    for run, step in missing:
        samples = found[file] if (file := files.get((id(run), step))) else None
        if isinstance(samples, Unreadable):
            run.sample_problems[step] = samples.why
        run._samples[step] = None if isinstance(samples, Unreadable) else samples


def _option(chosen: Any) -> str:
    """As a word has it: several as ``[a,b]``."""
    return f"[{','.join(map(str, chosen))}]" if isinstance(chosen, list) else str(chosen)


def flat(tree: Any, key: str = "") -> dict[str, Any]:
    """A tree as dotted key → value; lists and empty sections are values."""
    if not isinstance(tree, dict) or not tree:
        return {key: tree} if key else {}
    found: dict[str, Any] = {}
    for name, value in tree.items():
        found |= flat(value, f"{key}.{name}" if key else str(name))
    return found
