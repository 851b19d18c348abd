"""Sends a run that stopped short back into Slurm's queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.launch.slurm.commands import SlurmError, slurm
from harness.launch.slurm.own_job import is_queued_again, job_number, restart_count
from harness.records.status import RunError, StatusWriter

if TYPE_CHECKING:
    from harness.launch.sweep.folder import SweepFolder
    from harness.records.run_folder import RunFolder


def requeue(sweep: SweepFolder, run: RunFolder, why: str) -> bool:
    """Requeue this process's own job, where Slurm has not done it itself, as after a preemption.

    Args:
        sweep: For the journal.
        run: Its status goes from preempted to pending, or to failed where Slurm refuses.
        why: What stopped it this time.

    Returns:
        Whether it will be started again.
    """
    job, writer = job_number(), StatusWriter(run)
    sweep.note(event="requeue", run=run.run_id, job=job, restarts=restart_count(), why=why)
    try:
        if not is_queued_again():
            slurm("scontrol", "requeue", job)
    except SlurmError as error:
        if not is_queued_again():  # a preemption may have come between
            message = f"{why} Slurm refused to queue it again: {error.message}".strip()
            writer.queued()  # it is not preempted any more, as nothing will start it again
            writer.failed(RunError("RequeueRefused", message, "Start it again: harness sweep retry.", log=str(run.log)))
            return False
    writer.queued()
    return True
