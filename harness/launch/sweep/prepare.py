"""Makes a sweep: points, plan, frozen source, and a folder for every run, before anything is started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from harness.config.compose import compose_config
from harness.config.origins import Origins
from harness.errors import ConfigurationError
from harness.launch.sweep.devices import shares
from harness.launch.sweep.finished import finished_runs, same_code
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder
from harness.launch.sweep.freeze import freeze
from harness.launch.sweep.plan import plan_points
from harness.launch.sweep.planned import Planned, plan_composed
from harness.launch.sweep.points import Point, expand
from harness.records.atomic import write_text, write_yaml
from harness.records.provenance import Provenance
from harness.records.run_folder import RunFolder
from harness.records.status import StatusWriter

SHARED = ("cluster", "name", "output_root")  # what all runs of a sweep have in common


def make_sweep(words: Sequence[str], again: bool = False) -> SweepFolder:
    """Plan a sweep and write everything that its runs need.

    The plan is written last: a folder without one is no sweep, and nothing of it was started.

    Args:
        words: Of the command.
        again: Whether to run what has finished before once more.

    Raises:
        ConfigurationError: A point has a problem.
    """
    sweep, planned = planned_sweep(words)
    plan = open_sweep(sweep, OmegaConf.create(planned[0].record), words)
    add_runs(sweep, plan, planned, {} if again else finished_runs(sweep.path.parent))
    return sweep


def planned_sweep(words: Sequence[str]) -> tuple[SweepFolder, list[Planned]]:
    """A sweep's folder, which is not there yet, and all of its points, composed and checked.

    Raises:
        ConfigurationError: A point has a problem.
    """
    points = expand(words)
    _require_shared(points)
    try:
        sweep = new_sweep(compose_config(points[0].words))
    except ConfigurationError:  # told with what is wrong with the others
        sweep = SweepFolder.new(Path("outputs").absolute(), "sweep")
    return sweep, plan_points(points, sweep.path)


def new_sweep(config: DictConfig) -> SweepFolder:
    """The place of a new sweep, for the configuration of one of its points."""
    return SweepFolder.new(Path(config.output_root).expanduser().absolute(), str(config.name))


def open_sweep(sweep: SweepFolder, config: DictConfig, words: Sequence[str]) -> Plan:
    """Make a sweep's folder with the frozen source; its plan has no runs yet and is not written.

    Args:
        sweep: Its place.
        config: Of one of its points.
        words: Of the command.

    Raises:
        ConfigurationError: The runs that are to run at once need more GPUs than this machine has.
    """
    cluster: Any = OmegaConf.to_container(config.cluster, resolve=True)
    if cluster["launcher"] == "local":
        shares(cluster)
    sweep.logs.mkdir(parents=True)
    project = Path.cwd()
    code = freeze(project, sweep.path / "code", leave=(Path(config.output_root).expanduser().absolute(),))
    where = str(code.relative_to(sweep.path))
    return Plan(list(words), str(cluster["launcher"]), str(project), where, [], [], cluster)


def make_single(
    config: DictConfig, words: Sequence[str], given: Mapping[str, Any] | None, code_of: RunFolder | None
) -> SweepFolder:
    """A sweep of one run, as Slurm's always are in one, from a configuration that is composed already.

    Args:
        config: The composition.
        words: That stand for it in the record.
        given: What a file in place of an experiment said, for the record too.
        code_of: As in `harness.records.provenance.Provenance`.

    Raises:
        ConfigurationError: It has a problem.
    """
    sweep, alone = new_sweep(config), Planned(Point(tuple(words), ()), "run")
    planned = plan_composed(config, Origins(tuple(words), Path.cwd()), alone, sweep.path)
    if planned.problems:
        raise ConfigurationError("\n".join(planned.problems))
    plan = open_sweep(sweep, OmegaConf.create(planned.record), words)
    _, (run,) = add_runs(sweep, plan, [planned], {}, code_of)
    if given is not None:
        write_yaml(sweep.run(run).given, dict(given))
    return sweep


def add_runs(
    sweep: SweepFolder,
    plan: Plan,
    planned: Sequence[Planned],
    done: Mapping[tuple[str, int], str],
    code_of: RunFolder | None = None,
) -> tuple[Plan, list[PlannedRun]]:
    """Write what further runs need, and then the plan that has them.

    Args:
        sweep: The sweep.
        plan: Its plan so far.
        planned: Points that can run.
        done: Runs that have finished before, by fingerprint and seed; their points are not run, and those of other
            sweeps are noted.
        code_of: As in `harness.records.provenance.Provenance`.

    Returns:
        The plan, and what it has more.
    """
    noted = {*(sweep.run(run).shown() for run in plan.runs), *(each["run"] for each in plan.finished)}
    before = {each.point.label: done.get((each.fingerprint, each.seed), "") for each in planned}
    provenance = Provenance(Path(plan.project), code_of=code_of)
    finished = [
        {"label": label, "run": run, "code": "the same" if same_code(run, provenance) else "other"}
        for label, run in before.items()
        if run and run not in noted
    ]
    left = [each for each in planned if (each.fingerprint, each.seed) not in done]
    runs = [
        PlannedRun(index, each.run_id, each.point.label, list(each.point.words), each.seed, each.fingerprint)
        for index, each in enumerate(left, start=len(plan.runs))
    ]
    for run, each in zip(runs, left, strict=True):
        _write_run(sweep.run(run), run, each, provenance)
    plan = replace(plan, runs=[*plan.runs, *runs], finished=[*plan.finished, *finished])
    sweep.save(plan)
    return plan, runs


def _require_shared(points: Sequence[Point]) -> None:
    for word in dict.fromkeys(word for point in points for word in point.differs):
        key = word.lstrip("+").partition("=")[0]
        if key.partition(".")[0] in SHARED:
            raise ConfigurationError(
                f"{key} is the same for all runs of a sweep; it cannot have several values.",
                f"Start a sweep for each value of {key}.",
            )


def _write_run(run: RunFolder, planned: PlannedRun, each: Planned, provenance: Provenance) -> None:
    """The record as `harness.launch.record.open_run` makes it, of a run that waits in a queue."""
    run.path.mkdir()
    write_text(run.config, each.record)
    write_text(run.overrides, yaml.safe_dump(planned.words, width=1000))
    provenance.write(run, seed=each.seed, fingerprint=each.fingerprint, command=["harness", "train", *planned.words])
    StatusWriter(run).queued()
