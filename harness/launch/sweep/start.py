"""Starts a sweep, or what is left of one: all of it here, or as jobs of Slurm's."""

from __future__ import annotations

import time
from collections.abc import Sequence

from omegaconf import OmegaConf
from rich.console import Console

from harness.errors import Interrupted
from harness.launch.slurm.accepted import submitting, surely_submitted
from harness.launch.slurm.commands import SlurmError
from harness.launch.slurm.script import Array, hours_to_book, sbatch_script
from harness.launch.slurm.submit import submit
from harness.launch.stops import CANCEL_MARK
from harness.launch.sweep.devices import shares
from harness.launch.sweep.drive import run_in_this_process
from harness.launch.sweep.driver import driving
from harness.launch.sweep.finished import finished_runs
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder
from harness.launch.sweep.ledger import Row, read_ledger
from harness.launch.sweep.live import EVERY_SECONDS, LiveTable
from harness.launch.sweep.local import run_here
from harness.launch.sweep.prepare import make_sweep, planned_sweep
from harness.launch.sweep.table import before, render


def start_sweep(words: Sequence[str], wait: bool = False, again: bool = False) -> tuple[SweepFolder, bool]:
    """Plan, freeze and start a sweep.

    Args:
        words: Of the command.
        wait: Whether to return only when every run has ended; runs on this machine are always waited for.
        again: Whether to run what has finished before once more.

    Returns:
        The sweep, and whether every run is done (or, where nothing was waited for, submitted).
    """
    sweep = make_sweep(words, again)
    plan = sweep.plan()
    with submitting(sweep):
        submit_runs(sweep, plan, plan.runs)
    return sweep, start_runs(sweep, plan, plan.runs, wait)


def resume_sweep(path: str, wait: bool = False) -> tuple[SweepFolder, bool]:
    """Start what a sweep has not started, or was stopped in the middle of; nothing is started twice."""
    sweep = SweepFolder.open(path)
    with submitting(sweep):
        plan = sweep.plan()
        known = surely_submitted(sweep) if plan.launcher == "slurm" else {}
        rows = [row for row in read_ledger(sweep, plan) if not (sweep.run(row.run).path / CANCEL_MARK).exists()]
        left = [row.run for row in rows if row.run.index not in known and _is_open(row)]
        submit_runs(sweep, plan, left)
    return sweep, start_runs(sweep, plan, left, wait)


def _is_open(row: Row) -> bool:
    """Whether it has come to no end of its own: what was killed with its driver has none."""
    error = row.status.error
    return row.status.state in ("pending", "cancelled", "preempted") or bool(error and error.type == "ProcessDied")


def dry_sweep(words: Sequence[str], again: bool = False) -> str:
    """What `start_sweep` would start: runs, folders, GPU hours and the script."""
    sweep, planned = planned_sweep(words)
    config = OmegaConf.create(planned[0].record)
    cluster, root = config.cluster, f"{config.output_root}/{config.name}"
    done = {} if again else finished_runs(sweep.path.parent)
    runs = [(each, done.get((each.fingerprint, each.seed))) for each in planned]
    left = [each for each, earlier in runs if not earlier]
    what = "1 run" if len(left) == 1 else f"{len(left)} runs"
    lines = [f"# {what} in {root}/<sweep_id>/"]
    lines += [f"#   {each.point.label}" for each in left]
    if len(left) < len(planned):
        lines.append("# finished before, and not run again (--again runs them)")
        lines += [f"#   {each.point.label}: {earlier}" for each, earlier in runs if earlier]
    if cluster.launcher == "local":
        shares(cluster)
    if cluster.launcher == "slurm" and left:
        lines.append(f"# {hours_to_book(cluster, len(left))}")
        lines.append(sbatch_script(cluster, Array(range(len(left)), sweep.path, str(config.name), sweep.path / "code")))
    lines += [f"# the first one's configuration ({planned[0].point.label})", planned[0].record]
    return "\n".join(lines).replace(sweep.id, "SWEEP_ID") + "\n"


def start_runs(sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun], wait: bool) -> bool:
    """Run these here; of Slurm's, which are submitted, wait for the whole sweep if asked to.

    Returns:
        Whether every run of the sweep is done; where nothing was waited for, that they are submitted.

    Raises:
        Interrupted: A person has stopped the sweep, or the watching of one that Slurm runs.
    """
    if plan.launcher == "slurm" and not wait:
        told = f"{'1 run' if len(runs) == 1 else f'{len(runs)} runs'} submitted{before(plan)}"
        Console(soft_wrap=True).print(told, highlight=False)
        return True
    try:
        _watch(sweep, plan) if plan.launcher == "slurm" else _run(sweep, plan, runs)
    except KeyboardInterrupt as error:
        raise Interrupted(*_left(sweep, plan)) from error
    return all_done(sweep, plan)


def _left(sweep: SweepFolder, plan: Plan) -> tuple[str, str]:
    """What is so after an interruption, and what to do."""
    if plan.launcher == "slurm":
        return "The sweep goes on; nobody watches it.", f"harness sweep status|cancel {sweep.shown()}"
    done = sum(row.status.state == "done" for row in read_ledger(sweep, plan))
    return (
        f"The sweep was stopped; {done} of {len(plan.runs)} runs are done.",
        f"Go on with: harness train --resume {sweep.shown()}",
    )


def run_and_wait(sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun]) -> None:
    """Run these, here or on Slurm, and return when they have ended, however they did.

    Raises:
        SlurmError: Slurm refused them.
    """
    if plan.launcher == "slurm":
        with submitting(sweep):
            submit_runs(sweep, plan, runs)
        _watch(sweep, plan)
    else:
        _run(sweep, plan, runs)


def submit_runs(sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun]) -> None:
    """Queue these in Slurm, where the sweep is Slurm's; its caller is `submitting`.

    Raises:
        SlurmError: Slurm refused them.
    """
    if not runs or plan.launcher != "slurm":
        return
    try:
        submit(sweep, plan, [run.index for run in runs], sweep.path.parent.name)
    except SlurmError as error:
        raise SlurmError(
            f"Slurm refused: {error.message}",
            f"Mend it, then go on with: harness train --resume {sweep.shown()}",
        ) from error


def _run(sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun]) -> None:
    if plan.launcher == "debug":
        run_in_this_process(sweep, plan, runs)
        return
    with driving(sweep), LiveTable(sweep, plan) as poll:
        run_here(sweep, plan, runs, poll)


def _watch(sweep: SweepFolder, plan: Plan) -> None:
    """Until every run has ended."""
    with LiveTable(sweep, plan) as poll:
        while any(row.status.state in ("pending", "running", "preempted") for row in read_ledger(sweep, plan)):
            poll()
            time.sleep(EVERY_SECONDS)


def all_done(sweep: SweepFolder, plan: Plan) -> bool:
    """Show what became of every run; whether all are done."""
    rows = read_ledger(sweep, plan)
    Console().print(render(sweep, plan, rows))
    return all(row.status.state == "done" for row in rows)
