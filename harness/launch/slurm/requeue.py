"""Sends a run that stopped short back into Slurm's queue."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from harness.launch.slurm.commands import SlurmError, slurm
from harness.records.status import StatusWriter

if TYPE_CHECKING:
    from harness.launch.sweep.folder import SweepFolder
    from harness.records.run_folder import RunFolder


def requeue(sweep: SweepFolder, run: RunFolder, restarts: int, why: str) -> None:
    """Requeue this process's own job.

    Args:
        sweep: For the journal.
        run: Its status goes from preempted to pending.
        restarts: How often it has been started again so far.
        why: What stopped it this time.
    """
    job = os.environ["SLURM_JOB_ID"]
    sweep.note(event="requeue", run=run.run_id, job=job, restarts=restarts, why=why)
    try:
        slurm("scontrol", "requeue", job)
    except SlurmError as error:  # Slurm does it itself where it took the node away
        sys.stderr.write(f"scontrol requeue {job}: {error.message}\n")
        return
    StatusWriter(run).queued()
