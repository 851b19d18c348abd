"""What `harness train -m` and `harness sweep` do."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.live import Live

from harness.config.compose import resolve
from harness.errors import ConfigurationError
from harness.launch.slurm.commands import SlurmError, slurm
from harness.launch.slurm.script import Array, gpu_hours, sbatch_script
from harness.launch.slurm.submit import submit, submitted
from harness.launch.stops import CANCEL_MARK
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder, find_runs
from harness.launch.sweep.ledger import Row, read_ledger
from harness.launch.sweep.local import run_here
from harness.launch.sweep.plan import compose_points
from harness.launch.sweep.points import expand
from harness.launch.sweep.prepare import make_sweep
from harness.launch.sweep.table import as_json, headline, render
from harness.records.status import StatusWriter

EVERY_SECONDS = 2.0
LIVE_LINES = 30


def start_sweep(words: Sequence[str], wait: bool = False) -> tuple[SweepFolder, bool]:
    """Plan, freeze and start a sweep.

    Args:
        words: Of the command.
        wait: Whether to return only when every run has ended; runs on this machine are always waited for.

    Returns:
        The sweep, and whether every run is done (or, where nothing was waited for, submitted).
    """
    sweep = make_sweep(words)
    return sweep, _start(sweep, sweep.plan(), sweep.plan().runs, wait)


def resume_sweep(path: str, wait: bool = False) -> tuple[SweepFolder, bool]:
    """Start what a sweep has not started, or was stopped in the middle of; nothing is started twice."""
    sweep = SweepFolder.open(path)
    plan = sweep.plan()
    if plan.launcher == "slurm":
        known = submitted(sweep)
        left = [run for run in plan.runs if run.index not in known]
    else:
        left = [row.run for row in read_ledger(sweep, plan) if row.status.state not in ("done", "running", "failed")]
    return sweep, _start(sweep, plan, left, wait)


def dry_sweep(words: Sequence[str]) -> str:
    """What `start_sweep` would start: runs, folders, GPU hours and the script."""
    composed = compose_points(expand(words))
    config = composed[0].config
    cluster, root = config.cluster, f"{config.output_root}/{config.name}"
    lines = [f"# {len(composed)} runs in {root}/<sweep_id>/"]
    lines += [f"#   {each.point.label}" for each in composed]
    if cluster.launcher == "slurm":
        folder = Path(root).absolute() / "SWEEP_ID"
        lines.append(f"# at most {gpu_hours(cluster, len(composed)):,.0f} GPU hours")
        lines.append(sbatch_script(cluster, Array(range(len(composed)), folder, str(config.name), folder / "code")))
    lines += [f"# the first one's configuration ({composed[0].point.label})", OmegaConf.to_yaml(resolve(config))]
    return "\n".join(lines) + "\n"


def sweep_status(path: str, json: bool = False) -> tuple[str, bool]:
    """The table, and whether no run has failed."""
    sweep = SweepFolder.open(path)
    plan = sweep.plan()
    rows = read_ledger(sweep, plan)
    well = not any(row.status.state == "failed" for row in rows)
    if json:
        return as_json(sweep, plan, rows), well
    console = Console(width=None if sys.stdout.isatty() else 160)
    with console.capture() as captured:
        console.print(render(sweep, plan, rows))
    return captured.get().rstrip(), well


def sweep_cancel(path: str, names: Sequence[str]) -> str:
    """Stop runs that wait or run; all of them where none is named."""
    sweep = SweepFolder.open(path)
    plan = sweep.plan()
    chosen = {run.index for run in (find_runs(plan, names) if names else plan.runs)}
    rows = [row for row in read_ledger(sweep, plan) if row.run.index in chosen]
    open_rows = [row for row in rows if row.status.state in ("pending", "running", "preempted")]
    for row in open_rows:
        folder = sweep.run(row.run)
        (folder.path / CANCEL_MARK).touch()
        if row.status.state != "running":
            StatusWriter(folder).cancelled()
    jobs = [row.job for row in open_rows if row.job]
    if jobs:
        slurm("scancel", *jobs)
    for row in open_rows:
        if not row.job and row.status.state == "running" and row.status.pid:
            _terminate(row)
    return f"cancelled {len(open_rows)} of {len(rows)} runs"


def _terminate(row: Row) -> None:
    """A run of this machine; one of another is told by its mark at its next signal."""
    if row.status.host == socket.gethostname() and row.status.pid:
        os.kill(row.status.pid, signal.SIGTERM)


def sweep_retry(path: str, names: Sequence[str], every: bool, wait: bool) -> tuple[SweepFolder, bool]:
    """Start runs again, each from its last checkpoint: those that failed, those named, or all that are not done."""
    sweep = SweepFolder.open(path)
    plan = sweep.plan()
    rows = read_ledger(sweep, plan)
    again = ("failed", "cancelled", "preempted") if every or names else ("failed",)
    chosen = {run.index for run in find_runs(plan, names)} if names else {row.run.index for row in rows}
    left = [row.run for row in rows if row.run.index in chosen and row.status.state in again]
    for run in left:
        (sweep.run(run).path / CANCEL_MARK).unlink(missing_ok=True)
        StatusWriter(sweep.run(run)).queued()
    return sweep, _start(sweep, plan, left, wait)


def sweep_log(path: str, name: str) -> Path:
    """The log file of a run."""
    sweep = SweepFolder.open(path)
    (run,) = find_runs(sweep.plan(), [name])
    log = sweep.run(run).log
    if not log.is_file():
        raise ConfigurationError(f"{name} has written no log yet.", f"See harness sweep status {sweep.shown()}.")
    return log


def _start(sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun], wait: bool) -> bool:
    if plan.launcher == "slurm":
        if runs:
            try:
                submit(sweep, plan, [run.index for run in runs], sweep.path.parent.name)
            except SlurmError as error:
                raise SlurmError(
                    f"Slurm refused: {error.message}",
                    f"Mend it, then go on with: harness train --resume {sweep.shown()}",
                ) from error
        return _watch(sweep, plan) if wait else True
    with _live(sweep, plan) as poll:
        run_here(sweep, plan, runs, poll)
    return _all_done(sweep, plan)


def _watch(sweep: SweepFolder, plan: Plan) -> bool:
    """Until every run has ended."""
    with _live(sweep, plan) as poll:
        while any(row.status.state in ("pending", "running", "preempted") for row in read_ledger(sweep, plan)):
            poll()
            time.sleep(EVERY_SECONDS)
    return _all_done(sweep, plan)


def _all_done(sweep: SweepFolder, plan: Plan) -> bool:
    rows = read_ledger(sweep, plan)
    Console().print(render(sweep, plan, rows))
    return all(row.status.state == "done" for row in rows)


class _live:  # noqa: N801  used as a function
    """A table that renews itself on a terminal; a line where the counts change elsewhere."""

    def __init__(self, sweep: SweepFolder, plan: Plan) -> None:
        self.sweep, self.plan, self.console = sweep, plan, Console()
        self.live = Live(console=self.console, transient=True, auto_refresh=False) if self.console.is_terminal else None
        self.last, self.said = 0.0, ""

    def __enter__(self) -> Any:
        if self.live:
            self.live.start()
        return self.poll

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def poll(self) -> None:
        """Look again, not more often than every two seconds."""
        if time.monotonic() - self.last < EVERY_SECONDS:
            return
        self.last = time.monotonic()
        rows = read_ledger(self.sweep, self.plan)
        if self.live:
            self.live.update(render(self.sweep, self.plan, rows, LIVE_LINES), refresh=True)
        elif (text := headline(self.plan, rows)) != self.said:
            self.said = text
            self.console.print(text)
