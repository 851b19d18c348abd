"""The true state of every run of a sweep: what the run itself wrote, joined with what Slurm says of its job."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harness.launch.slurm.accepted import submitted
from harness.launch.slurm.ends import joined
from harness.launch.slurm.view import JobView, view_jobs
from harness.launch.sweep.driver import is_driven
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder
from harness.records.quantities import validation_headline
from harness.records.run_folder import RunFolder
from harness.records.state import RunError, Status
from harness.records.status import read_status

METRIC = "val-core/"


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
        status = joined(folder, status, job, views)
    why = _one_line(status.error) if status.error else ""
    if status.state == "pending":
        stopped = f"{why}; " if status.error and status.error.type == "NodeLost" else ""
        why = stopped + _waits(view, job) if launcher == "slurm" else "waits for its turn"
    elif launcher == "slurm" and job and views is None and not status.has_ended:
        why = _waits(None, job)
    return Row(run, status, why, view.left if view else _estimate(status), _best(folder, status), job)


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
