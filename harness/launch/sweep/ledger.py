"""The true state of every run of a sweep: what the run itself wrote, joined with what Slurm says of its job."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harness.launch.slurm.script import LOG
from harness.launch.slurm.submit import submitted
from harness.launch.slurm.view import JobView, view_jobs
from harness.launch.stops import CANCEL_MARK
from harness.launch.sweep.driver import is_driven
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder
from harness.records.quantities import validation_headline
from harness.records.run_folder import RunFolder
from harness.records.state import RunError, Status
from harness.records.status import read_status

LOG_END_BYTES = 20_000
METRIC = "val-core/"
# Slurm's word for how a job ended → ours, with the reason in plain words
ENDS = {
    "OUT_OF_MEMORY": ("failed", "it took more memory than it asked for (cluster.memory_gb)"),
    "TIMEOUT": ("failed", "it reached its time limit (cluster.time)"),
    "NODE_FAIL": ("failed", "its node was lost"),
    "BOOT_FAIL": ("failed", "its node did not start"),
    "CANCELLED": ("cancelled", "cancelled"),
    "PREEMPTED": ("preempted", "a job of higher priority took its node"),
    "DEADLINE": ("failed", "it reached its deadline"),
    "FAILED": ("failed", "its job failed"),
    "COMPLETED": ("failed", "its job ended and the run recorded no end"),
}


@dataclass(frozen=True)
class Row:
    """A run as `harness sweep status` shows it.

    Attributes:
        run: The planned run.
        status: What is true of it.
        why: Why it waits, stopped or failed, in one line.
        left: Time to the job's limit, or estimated to the run's end.
        best: The best value of the validation's metric; None before the first.
        job: Its job in Slurm; empty without.
    """

    run: PlannedRun
    status: Status
    why: str = ""
    left: str = ""
    best: float | None = None
    job: str = ""


def read_ledger(sweep: SweepFolder, plan: Plan | None = None) -> list[Row]:
    """Every run's row, in the plan's order. Changes nothing of the runs."""
    plan = plan or sweep.plan()
    jobs = submitted(sweep) if plan.launcher == "slurm" else {}
    waiting_for = {run.index: job for run in plan.runs if (job := jobs.get(run.index))}
    states = {run.index: read_status(sweep.run(run)) for run in plan.runs}
    asked = [job for index, job in waiting_for.items() if states[index].state not in ("done", "cancelled")]
    views = view_jobs(asked)
    rows = [
        _row(sweep.run(run), run, states[run.index], waiting_for.get(run.index, ""), views, plan.launcher)
        for run in plan.runs
    ]
    if plan.launcher == "slurm" or is_driven(sweep):
        return rows
    alone = f"nobody runs the sweep; go on with: harness train --resume {sweep.shown()}"
    return [replace(row, why=alone) if row.status.state == "pending" else row for row in rows]


def counts(rows: list[Row]) -> dict[str, int]:
    """How many runs are in each state."""
    return dict(Counter(row.status.state for row in rows))


def _row(
    folder: RunFolder, run: PlannedRun, status: Status, job: str, views: dict[str, JobView] | None, launcher: str
) -> Row:
    view = views.get(job) if views is not None else None
    if launcher == "slurm":
        forgotten = bool(job) and views is not None and view is None
        status = _joined(folder, status, view, forgotten, job)
    why = _one_line(status.error) if status.error else ""
    if status.state == "pending":
        stopped = f"{why}; " if status.error and status.error.type == "NodeLost" else ""
        why = stopped + _waits(view, job) if launcher == "slurm" else "waits for its turn"
    return Row(run, status, why, view.left if view else _estimate(status), _best(folder, status), job)


def _joined(folder: RunFolder, status: Status, view: JobView | None, forgotten: bool = False, job: str = "") -> Status:
    """The run's own word counts where it recorded an end that it saw; else Slurm's.

    Args:
        folder: The run's folder.
        status: What the run says.
        view: What Slurm says of its job, if anything.
        forgotten: Whether Slurm answers and has no such job any more.
        job: Its job, whose log tells of memory.
    """
    if status.state in ("done", "cancelled"):
        return status
    if (folder.path / CANCEL_MARK).exists() and not (view and view.is_going):
        return replace(status, state="cancelled", error=None)
    if forgotten and status.state in ("pending", "preempted"):
        error = RunError("SlurmForgotten", "Slurm has no such job any more, and the run recorded no end")
        return replace(status, state="failed", error=error)
    if view is not None and view.is_waiting:
        lost = status.error if status.error and status.error.type == "NodeLost" else None
        return replace(status, state="pending", error=lost)
    silent = status.error is not None and status.error.type == "ProcessDied"
    if view is not None and view.is_going:
        return replace(status, state="running", error=None) if silent else status
    if (silent or status.state in ("pending", "running", "preempted")) and view is not None:
        state, why = ENDS.get(view.state, ("failed", f"Slurm says {view.state}"))
        if state == "failed" and _killed_for_memory(folder, job):
            why = ENDS["OUT_OF_MEMORY"][1]
        if view.why and state == "failed":
            why = f"{why} ({view.why})"
        return replace(status, state=state, error=RunError(f"Slurm{view.state.title()}", why, stage=status.stage))  # type: ignore[arg-type]
    return status


def _killed_for_memory(folder: RunFolder, job: str) -> bool:
    """Whether Slurm's log tells so, where its word for the job does not: a step is killed and the job just fails."""
    log = folder.path.parent / "logs" / LOG.replace("%A_%a", job)
    return bool(job) and log.is_file() and b"oom-kill event" in log.read_bytes()[-LOG_END_BYTES:]


def _waits(view: JobView | None, job: str) -> str:
    if not job:
        return "not submitted"
    if view is None:
        return "Slurm does not answer"
    return f"{view.state.lower()}: {view.why}" if view.why else "in the queue"


def _one_line(error: RunError) -> str:
    return " ".join(error.message.split())


def _estimate(status: Status) -> str:
    """Time to the run's end, from its steps so far; empty where nothing can be said."""
    begun = status.resumed or status.started
    if status.state != "running" or not (begun and status.heartbeat and status.first_step and status.total_steps):
        return ""
    passed = (datetime.fromisoformat(status.heartbeat) - datetime.fromisoformat(begun)).total_seconds()
    seconds = passed / (status.step - status.first_step + 1) * (status.total_steps - status.step)
    return f"~{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}:{int(seconds % 60):02d}"


def _best(folder: RunFolder, status: Status) -> float | None:
    """The best validation, as the mean over data sources; from the record itself where the status does not tell."""
    if status.best is not None or status.attempt == 0:
        return status.best
    return max((value for metrics in _validated(folder) if (value := validation_headline(metrics)) is not None),
               default=None)  # fmt: skip


def _validated(folder: RunFolder) -> Iterator[dict[str, Any]]:
    if not folder.metrics.is_file():
        return
    with folder.metrics.open() as file:
        for line in file:
            if METRIC in line:
                try:
                    yield json.loads(line).get("metrics", {})
                except ValueError:
                    continue
