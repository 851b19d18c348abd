"""Sends a run that the scheduler stopped, or that lost a node, back into the queue, a bounded number of times."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from harness.launch.slurm.commands import SlurmError, slurm
from harness.records.status import RunError, StatusWriter

if TYPE_CHECKING:
    from harness.launch.sweep.folder import SweepFolder
    from harness.records.run_folder import RunFolder


def requeue(sweep: SweepFolder, run: RunFolder, most: int, code: int, why: str) -> int:
    """Requeue this process's own job.

    Args:
        sweep: For the journal.
        run: Its status goes from preempted to pending.
        most: How often, restarts by Slurm itself included.
        code: The exit code where it is to be started again.
        why: What stopped it this time.

    Returns:
        The exit code.
    """
    job, restarts = os.environ["SLURM_JOB_ID"], int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if restarts >= most:
        message = f"it was stopped {restarts + 1} times, and is requeued {most} times (cluster.requeues). {why}"
        writer = StatusWriter(run)
        writer.queued()  # it is not preempted any more, as nothing will start it again
        writer.failed(RunError("RequeueLimit", message, "Raise it, and start the run again: harness sweep retry."))
        sys.stderr.write(f"{message}\n")
        return 1
    sweep.note(event="requeue", run=run.run_id, job=job, restarts=restarts, why=why)
    try:
        slurm("scontrol", "requeue", job)
    except SlurmError as error:  # Slurm does it itself where it took the node away
        sys.stderr.write(f"scontrol requeue {job}: {error.message}\n")
        return code
    StatusWriter(run).queued()
    return code
