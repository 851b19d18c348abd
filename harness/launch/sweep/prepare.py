"""Makes a sweep: points, plan, frozen source, and a folder for every run, before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

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
    root, name = Path(first.output_root).expanduser().absolute(), str(first.name)
    done = finished_runs(root / name)
    open_points = [each for each in composed if (each.fingerprint, each.seed) not in done]
    finished = [
        {"label": each.point.label, "run": done[each.fingerprint, each.seed]}
        for each in composed
        if (each.fingerprint, each.seed) in done
    ]
    sweep = SweepFolder.create(root, name)
    project = Path.cwd()
    code = freeze(project, sweep.path / "code", leave=(root,))
    runs = [_planned(index, each) for index, each in enumerate(_named(open_points))]
    for planned, each in zip(runs, open_points, strict=True):
        _write_run(sweep.run(planned), planned, each)
    cluster: Any = OmegaConf.to_container(first.cluster, resolve=True)
    where = str(code.relative_to(sweep.path))
    sweep.save(Plan(list(words), str(cluster["launcher"]), str(project), where, runs, finished, cluster))
    return sweep


def _named(points: Sequence[Composed]) -> list[tuple[Composed, str]]:
    taken: set[str] = set()
    named = []
    for index, each in enumerate(points):
        name = folder_name(each.point.label, index)
        name = name if name not in taken else f"{name}-{index}"
        taken.add(name)
        named.append((each, name))
    return named


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
