"""What `harness sweep` does."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from harness.check.find import require_valid
from harness.config.fingerprint import fingerprint
from harness.errors import ConfigurationError
from harness.launch.changes import ALLOW, record_changes, resumable_config, set_aside
from harness.launch.slurm.accepted import submitted, submitting, surely_submitted
from harness.launch.slurm.commands import slurm
from harness.launch.slurm.ends import slurm_log
from harness.launch.stops import CANCEL_MARK
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder, find_runs, is_run
from harness.launch.sweep.follow import print_log
from harness.launch.sweep.ledger import Row, read_ledger
from harness.launch.sweep.start import start_runs, submit_runs
from harness.launch.sweep.table import as_json, render
from harness.records.status import StatusWriter

ACTIONS: dict[str, tuple[str, ...]] = {
    "status": ("--json",),
    "logs": ("-f",),
    "cancel": (),
    "retry": ("--failed", "--all", "--wait", "--afresh", "--allow-changes"),
}
USAGE = "harness sweep status|logs|cancel|retry DIR"


def sweep_command(words: Sequence[str], flags: Mapping[str, Any]) -> tuple[str, bool]:
    """Run one action.

    Args:
        words: The action, the sweep's folder, and names of runs.
        flags: Of the command line.

    Returns:
        What to print, and whether all is well.

    Raises:
        ConfigurationError: It is no action, no sweep, or no run of it.
    """
    if len(words) < 2 or words[0] not in ACTIONS:
        raise ConfigurationError("harness sweep: an action and a sweep's folder are needed.", USAGE)
    action, folder, *names = words
    for flag in flags:
        if flag not in ACTIONS[action]:
            allowed = ", ".join(ACTIONS[action]) or "none"
            raise ConfigurationError(f"harness sweep {action}: there is no flag {flag}.", f"Allowed: {allowed}.")
    if action == "status":
        return sweep_status(folder, bool(flags.get("--json")))
    if action == "cancel":
        return sweep_cancel(folder, names), True
    if action == "retry":
        sweep, well = sweep_retry(folder, names, {flag for flag, given in flags.items() if given})
        return f"sweep: {sweep.shown()}", well
    if len(names) != 1:
        raise ConfigurationError("harness sweep logs: name one run.", USAGE)
    print_log(sweep_log(folder, names[0]), bool(flags.get("-f")))
    return "", True


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
        if not row.job and row.status.state == "running":
            _terminate(row)
    return f"cancelled {len(open_rows)} of {len(rows)} runs"


def _terminate(row: Row) -> None:
    """End a run of this machine."""
    if row.status.host == socket.gethostname() and row.status.pid:
        os.kill(row.status.pid, signal.SIGTERM)


def sweep_retry(path: str, words: Sequence[str], flags: Collection[str] = ()) -> tuple[SweepFolder, bool]:
    """Start runs again, each from its last checkpoint: those that failed, those named, or all that are not done.

    Args:
        path: The sweep's folder.
        words: Names of runs, and overrides on what is recorded of them; those of ``cluster`` count for the sweep.
        flags: ``--all``, ``--wait``, ``--afresh``, ``--allow-changes``.

    Raises:
        ConfigurationError: A name is no run of the sweep, or an override makes it another experiment.
    """
    sweep = SweepFolder.open(path)
    with submitting(sweep):
        plan = sweep.plan()
        names = [word for word in words if "=" not in word or is_run(plan, word)]
        overrides = [word for word in words if word not in names]
        left = _to_retry(sweep, plan, names, "--all" in flags)
        allow = ALLOW in flags or "--afresh" in flags  # what begins again is another experiment all through
        configs = [resumable_config(sweep.run(run), overrides, allow) for run in left] if overrides else []
        for config in configs:
            require_valid(config, overrides)
        if configs:
            plan = _with_changes(sweep, plan, left, configs, overrides)
        for run in left:
            folder = sweep.run(run)
            if "--afresh" in flags:
                set_aside(folder)
            (folder.path / CANCEL_MARK).unlink(missing_ok=True)
            StatusWriter(folder).queued()
        submit_runs(sweep, plan, left)
    return sweep, start_runs(sweep, plan, left, "--wait" in flags)


def _to_retry(sweep: SweepFolder, plan: Plan, names: Sequence[str], everything: bool) -> list[PlannedRun]:
    """Those that have ended without being done; what goes back into Slurm's queue by itself has not."""
    if plan.launcher == "slurm":
        surely_submitted(sweep)  # else what a killed retry left in the queue counted as failed
    rows = read_ledger(sweep, plan)
    again = ("failed", "cancelled", "preempted") if everything or names else ("failed",)
    chosen = {run.index for run in find_runs(plan, names)} if names else {row.run.index for row in rows}
    found = [row for row in rows if row.run.index in chosen and row.status.state in again]
    for row in [row for row in found if _comes_back(row)]:
        found.remove(row)
        said = f"was preempted, and its job {row.job} goes back into the queue by itself: left alone"
        sys.stderr.write(f"{row.run.run_id} {said}\n")
    return [row.run for row in found]


def _comes_back(row: Row) -> bool:
    """Whether Slurm still has its job: where it has not, the run counts as failed."""
    return row.status.state == "preempted" and bool(row.job)


def _with_changes(
    sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun], configs: Sequence[DictConfig], words: Sequence[str]
) -> Plan:
    """Record what runs go on with; the plan with it."""
    now = {}
    for run, config in zip(runs, configs, strict=True):
        record_changes(sweep.run(run), config, words)
        now[run.index] = replace(run, seed=int(config.seed), fingerprint=fingerprint(config))
    cluster: Any = OmegaConf.to_container(configs[0].cluster, resolve=True)
    changed = replace(plan, runs=[now.get(run.index, run) for run in plan.runs], cluster=cluster)
    sweep.save(changed)
    return changed


def sweep_log(path: str, name: str) -> Path:
    """The log file of a run; Slurm's of its job, where the run has not come as far as to write one."""
    sweep = SweepFolder.open(path)
    plan = sweep.plan()
    (run,) = find_runs(plan, [name])
    folder = sweep.run(run)
    if folder.log.is_file():
        return folder.log
    job = submitted(sweep).get(run.index, "") if plan.launcher == "slurm" else ""
    log = slurm_log(folder, job)
    if log is None:
        raise ConfigurationError(f"{name} has written no log yet.", f"See harness sweep status {sweep.shown()}.")
    sys.stderr.write(f"{name} has written no log yet; this is Slurm's of job {job}, {log}\n")
    return log
