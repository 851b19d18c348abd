"""The state of a run from its own word and Slurm's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.launch.slurm.script import LOG
from harness.launch.slurm.view import JobView
from harness.launch.stops import CANCEL_MARK
from harness.records.state import RunError, State, Status, load_status

if TYPE_CHECKING:
    from harness.records.run_folder import RunFolder

LOG_END_BYTES = 20_000
# Slurm's word for how a job ended → ours, with the reason in plain words
ENDS: dict[str, tuple[State, str]] = {
    "OUT_OF_MEMORY": ("failed", "it took more memory than it asked for (cluster.memory_gb)"),
    "TIMEOUT": ("failed", "it reached its time limit (cluster.time)"),
    "NODE_FAIL": ("failed", "its node was lost"),
    "BOOT_FAIL": ("failed", "its node did not start"),
    "CANCELLED": ("cancelled", "cancelled"),
    "PREEMPTED": ("failed", "preempted, and Slurm has not queued it again"),
    "DEADLINE": ("failed", "it reached its deadline"),
    "FAILED": ("failed", "its job failed"),
    "COMPLETED": ("failed", "its job ended and the run recorded no end"),
}
# what srun and slurmstepd add to every end, whatever came before
_NO_REASON = re.compile(
    r"srun: .*(Exited with|[Tt]erminat|Killed|aborted|SIGCONT)|slurmstepd\S*: error: \*\*\*",
)


def joined(run: RunFolder, status: Status, job: str, views: Mapping[str, JobView] | None) -> Status:
    """The run's own word counts where it recorded an end that it saw; else Slurm's.

    Args:
        run: The run's folder.
        status: What the run says.
        job: Its job; empty where it has none yet.
        views: What Slurm says of jobs that it knows; None where it does not answer.
    """
    if status.state in ("done", "cancelled"):
        return status
    view = views.get(job) if views else None
    if (run.path / CANCEL_MARK).exists() and not (view and view.is_going):
        return replace(status, state="cancelled", error=None)
    silent = status.error is not None and status.error.type == "ProcessDied"
    if view is None:
        return _without_a_view(run, status, job, silent, answers=views is not None)
    if view.is_waiting:
        lost = status.error if status.error and status.error.type == "NodeLost" else None
        return replace(status, state="pending", error=lost)
    if view.is_going:
        return replace(status, state="running", error=None) if silent else status
    if silent or status.state in ("pending", "running", "preempted"):
        later = load_status(run.status)  # it may have recorded its end before Slurm was asked
        own = later is not None and later.state in ("done", "failed", "cancelled")
        return later if later and own else _ended(run, status, job, view)
    return status


def _without_a_view(run: RunFolder, status: Status, job: str, silent: bool, answers: bool) -> Status:
    if not job:
        return status
    if not answers:  # a login node cannot see for itself whether it runs
        return replace(status, state="running", error=None) if silent else status
    if status.state == "preempted":
        error = RunError("SlurmPreempted", ENDS["PREEMPTED"][1], stage=status.stage)
        return replace(status, state="failed", error=error)
    if status.state == "pending":
        why = _with_log(run, job, "Slurm has no such job any more, and the run recorded no end")
        return replace(status, state="failed", error=RunError("SlurmForgotten", why))
    return status


def _ended(run: RunFolder, status: Status, job: str, view: JobView) -> Status:
    state, why = ENDS.get(view.state, ("failed", f"Slurm says {view.state}"))
    if state == "failed":
        if _killed_for_memory(run, job):
            why = ENDS["OUT_OF_MEMORY"][1]
        if view.why:
            why = f"{why} ({view.why})"
        if status.state == "pending":  # it ended before the run began, so that the run's own log does not tell
            why = _with_log(run, job, why)
    return replace(status, state=state, error=RunError(f"Slurm{view.state.title()}", why, stage=status.stage))


def slurm_log(run: RunFolder, job: str) -> Path | None:
    """What Slurm wrote of a run's job, from before the run began as well; None where there is nothing."""
    log = run.path.parent / "logs" / LOG.replace("%A_%a", job)
    return log if job and log.is_file() and log.stat().st_size else None


def _with_log(run: RunFolder, job: str, why: str) -> str:
    """With the last line of Slurm's log that tells something, and where that is."""
    log = slurm_log(run, job)
    if log is None:
        return why
    lines = [line.strip() for line in _end_of(log).splitlines()]
    telling = [line for line in lines if line and not _NO_REASON.match(line)]
    last = f": {telling[-1]}" if telling else ""
    return f"{why}{last} (see logs/{log.name})"


def _killed_for_memory(run: RunFolder, job: str) -> bool:
    """Whether Slurm's log tells so, where its word for the job does not: a step is killed and the job just fails."""
    log = slurm_log(run, job)
    return log is not None and "oom-kill event" in _end_of(log)


def _end_of(log: Path) -> str:
    return log.read_bytes()[-LOG_END_BYTES:].decode(errors="replace")
