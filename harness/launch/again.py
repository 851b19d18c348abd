"""A run that stopped short and is to go on: started again a bounded number of times, by Slurm or by the local pool."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.launch.slurm.requeue import requeue
from harness.records.status import RunError, StatusWriter, read_status

if TYPE_CHECKING:
    from harness.launch.sweep.folder import SweepFolder
    from harness.records.run_folder import RunFolder

AGAIN = 75  # EX_TEMPFAIL: the exit code of a job that is to be started again
RESTARTS = "HARNESS_RESTART_COUNT"  # variable: how often the local pool has, as Slurm's SLURM_RESTART_COUNT


def start_again(sweep: SweepFolder, run: RunFolder, most: int, slurm: bool, why: str = "") -> int:
    """Have this process's own job started again.

    Args:
        sweep: For the journal.
        run: Its status goes from preempted to pending.
        most: How often, restarts by Slurm itself included.
        slurm: Whether it is Slurm's; else the local pool's, which does it for the exit code.
        why: What stopped it this time.

    Returns:
        The exit code: 75, or 1 where it has been started often enough.
    """
    restarts = int(os.environ.get("SLURM_RESTART_COUNT" if slurm else RESTARTS) or 0)
    if restarts >= most:
        sys.stderr.write(f"{give_up(run, restarts, why).message}\n")
        return 1
    if slurm:
        requeue(sweep, run, restarts, why)
    else:
        StatusWriter(run).queued()
    return AGAIN


def give_up(run: RunFolder, restarts: int, why: str = "") -> RunError:
    """Record that a run that stopped short, for this reason the last time, will not be started again."""
    last = read_status(run).error
    if last is None:
        message = f"{why} It has been stopped {restarts + 1} times and requeued {restarts} times.".strip()
        error = RunError("RequeueLimit", message, "Raise cluster.requeues, and start it again: harness sweep retry.")
    else:
        times = "once" if restarts == 1 else f"{restarts} times"
        message = f"{last.message}; it has been started again {times} before (cluster.requeues)"
        error = replace(last, message=message)
    writer = StatusWriter(run)
    writer.queued()  # it is not preempted any more, as nothing will start it again
    writer.failed(error)
    return error
