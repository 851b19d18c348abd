"""Loads runs: a thousand in seconds, and in about one the second time."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.compare.about import CONFIG, About, read_about
from harness.compare.cache import Cache
from harness.compare.clock import Clock, read_clock, seconds_in_all
from harness.compare.columns import COLUMNS, NO_COLUMNS, REST, Columns
from harness.compare.lazy_metrics import RunMetrics
from harness.compare.reading import Unreadable, read_all, read_one, unreadable
from harness.compare.run_data import RunData, Settings
from harness.compare.targets import Target, find_targets

if TYPE_CHECKING:
    import numpy as np


def load_named(words: Sequence[str], only: Collection[str] | None = None) -> list[RunData]:
    """Load what the words of a command name, W&B's runs last.

    Args:
        words: Run folders, sweeps, folders of runs, globs, and ``wandb:entity/project[/group]``.
        only: Names of metrics to keep; None keeps all.

    Raises:
        ConfigurationError: A word names no run, or W&B does not answer.
    """
    targets = find_targets(words)
    runs = load_runs(targets.runs, only)
    if targets.online:
        from harness.compare.online import load_online

        runs += [run for place in targets.online for run in load_online(place, only)]
    return runs


def load_runs(
    targets: Sequence[Target], only: Collection[str] | None = None, cache: Cache | None = None
) -> list[RunData]:
    """Load runs, whatever became of them. What cannot be read of one is told in its ``problems``.

    Args:
        targets: The runs, as of `harness.compare.targets.find_targets`.
        only: Names of metrics to keep; None keeps all.
        cache: Where parsed files are kept; the user's cache folder by default.

    Returns:
        The runs in the same order.
    """
    cache = cache or Cache()
    about = [read_about(target) for target in targets]
    begun = [each.folder.metrics for each in about if each.folder.metrics.exists()]
    columns = read_all(begun, COLUMNS, cache)
    settings, damaged = _settings(about, cache)
    runs = []
    for each in about:
        numbers, configuration = columns.get(each.folder.metrics, NO_COLUMNS), damaged.get(each.folder.config)
        failed = [found.why for found in (numbers, configuration) if isinstance(found, Unreadable)]
        whole = NO_COLUMNS if isinstance(numbers, Unreadable) else numbers
        runs.append(_run(each, whole, settings[each.fingerprint], [*each.problems, *failed], only, cache))
    return runs


def _settings(about: Sequence[About], cache: Cache) -> tuple[dict[str, Settings], dict[Path, Unreadable]]:
    """By recorded fingerprint; of each, the first configuration that can be read is. And those that cannot be."""
    files: dict[str, list[Path]] = {}
    for each in about:
        files.setdefault(each.fingerprint, []).extend([each.folder.config] if each.folder.config.exists() else [])
    found: dict[str, Settings] = {}
    damaged: dict[Path, Unreadable] = {}
    while waiting := {print_: left.pop(0) for print_, left in files.items() if left and print_ not in found}:
        trees = read_all(list(waiting.values()), CONFIG, cache)
        for print_, file in waiting.items():
            tree = trees[file]
            if isinstance(tree, Unreadable):
                damaged[file] = tree
            else:
                found[print_] = Settings(tree, print_)
    return {print_: found.get(print_) or Settings({}, print_) for print_ in files}, damaged


def _run(
    about: About, columns: Columns, settings: Settings, problems: list[str], only: Collection[str] | None, cache: Cache
) -> RunData:
    if columns.damaged > max(about.status.attempt, 1):  # each attempt may have been killed in the middle of a line
        problems.append(f"{about.folder.metrics.name}: {columns.damaged} lines cannot be read")
    clock = _clock(about, columns, problems)
    return RunData(
        where=about.folder.shown(),
        run_id=about.folder.run_id,
        name=about.name,
        label=about.target.label,
        seed=about.seed,
        words=about.words,
        provenance=about.provenance,
        status=about.status,
        steps=columns.steps,
        times=clock.passed(columns.moments),
        metrics=_metrics(about.folder.metrics, columns, only, cache),
        undefined=columns.undefined,
        seconds=seconds_in_all(clock, about.status, columns.moments),
        settings=settings,
        config_reader=partial(_config, about.folder.config, cache),
        folder=about.folder,
        problems=tuple(problems),
    )


def _clock(about: About, columns: Columns, problems: list[str]) -> Clock:
    try:
        return read_clock(about.folder.stages, about.status, columns.moments)
    except OSError as error:
        problems.append(unreadable(about.folder.stages, error).why)
        return read_clock(Path(os.devnull), about.status, columns.moments)


def _metrics(file: Path, columns: Columns, only: Collection[str] | None, cache: Cache) -> Mapping[str, np.ndarray]:
    metrics = RunMetrics(columns, lambda: read_one(file, REST, cache))
    if only is None:
        return metrics
    return {name: metrics[name].copy() for name in metrics if name in only}  # a copy, so that the rest can be forgotten


def _config(file: Path, cache: Cache) -> dict[str, Any]:
    found = read_one(file, CONFIG, cache)
    return {} if isinstance(found, Unreadable) else found
