"""Makes a sweep: points, plan, frozen source, and a folder for every run, before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder, folder_name
from harness.launch.sweep.freeze import freeze
from harness.launch.sweep.plan import Composed, compose_points, finished_runs, with_place
from harness.launch.sweep.points import expand
from harness.records.atomic import write_text
from harness.records.provenance import write_provenance
from harness.records.run_folder import RunFolder
from harness.records.status import StatusWriter


def make_sweep(words: Sequence[str]) -> SweepFolder:
    """Plan a sweep and write everything that its runs need.

    The plan is written last: a folder without one is no sweep, and nothing of it was started.

    Args:
        words: Of the command.

    Raises:
        ConfigurationError: A point has a problem.
    """
    composed = compose_points(expand(words))
    first = composed[0].config
    sweep, plan = open_sweep(first, words)
    add_runs(sweep, plan, composed, finished_runs(sweep.path.parent))
    return sweep


def open_sweep(config: DictConfig, words: Sequence[str]) -> tuple[SweepFolder, Plan]:
    """Make a sweep's folder with the frozen source; its plan has no runs yet and is not written.

    Args:
        config: Of one of its points.
        words: Of the command.
    """
    root = Path(config.output_root).expanduser().absolute()
    sweep = SweepFolder.create(root, str(config.name))
    project = Path.cwd()
    code = freeze(project, sweep.path / "code", leave=(root,))
    cluster: Any = OmegaConf.to_container(config.cluster, resolve=True)
    where = str(code.relative_to(sweep.path))
    return sweep, Plan(list(words), str(cluster["launcher"]), str(project), where, [], [], cluster)


def add_runs(
    sweep: SweepFolder, plan: Plan, composed: Sequence[Composed], done: Mapping[tuple[str, int], str]
) -> tuple[Plan, list[PlannedRun]]:
    """Write what further runs need, and then the plan that has them.

    Args:
        sweep: The sweep.
        plan: Its plan so far.
        composed: Points that can run.
        done: Runs that have finished before, by fingerprint and seed; their points are not run, and those of other
            sweeps are noted.

    Returns:
        The plan, and what it has more.
    """
    finished = [
        {"label": each.point.label, "run": done[each.fingerprint, each.seed]}
        for each in composed
        if (each.fingerprint, each.seed) in done
    ]
    noted = [sweep.run(run).shown() for run in plan.runs] + [each["run"] for each in plan.finished]
    finished = [each for each in finished if each["run"] not in noted]
    left = [each for each in composed if (each.fingerprint, each.seed) not in done]
    names = _names(plan, left)
    runs = [_planned(index, named) for index, named in enumerate(zip(left, names, strict=True), start=len(plan.runs))]
    for planned, each in zip(runs, left, strict=True):
        _write_run(sweep.run(planned), planned, each)
    plan = replace(plan, runs=[*plan.runs, *runs], finished=[*plan.finished, *finished])
    sweep.save(plan)
    return plan, runs


def _names(plan: Plan, points: Sequence[Composed]) -> list[str]:
    """A folder's name for each, which no other has."""
    names = [run.run_id for run in plan.runs]
    for index, each in enumerate(points, start=len(names)):
        name = folder_name(each.point.label, index)
        names.append(name if name not in names else f"{name}-{index}")
    return names[len(plan.runs) :]


def _planned(index: int, named: tuple[Composed, str]) -> PlannedRun:
    each, name = named
    return PlannedRun(index, name, each.point.label, list(each.point.words), each.seed, each.fingerprint)


def _write_run(run: RunFolder, planned: PlannedRun, each: Composed) -> None:
    """The record as `harness.launch.record.open_run` makes it, of a run that waits in a queue."""
    run.path.mkdir()
    resolved: Any = OmegaConf.to_container(with_place(each.config, planned.run_id, run.path))
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    write_text(run.config, yaml.dump(resolved, Dumper=dumper, sort_keys=False, width=1000, allow_unicode=True))
    write_text(run.overrides, yaml.safe_dump(planned.words, width=1000))
    command = ["harness", "train", *planned.words]
    write_provenance(run, seed=each.seed, fingerprint=each.fingerprint, command=command)
    StatusWriter(run).queued()
