"""A run that stopped short and is to go on: started again a bounded number of times, by Slurm or by the local pool."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.launch.slurm.own_job import restart_count, was_cancelled
from harness.launch.slurm.requeue import requeue
from harness.records.status import RunError, StatusWriter, read_status

if TYPE_CHECKING:
    from harness.launch.sweep.folder import SweepFolder
    from harness.records.run_folder import RunFolder

AGAIN = 75  # EX_TEMPFAIL: the exit code of a job that is to be started again
RAISE = "Raise cluster.requeues, and start it again: harness sweep retry."
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
        The exit code: 75, or 1 where it will not be: it has been started often enough, or was cancelled.
    """
    restarts = restart_count() if slurm else int(os.environ.get(RESTARTS) or 0)
    writer = StatusWriter(run)
    if slurm and was_cancelled():
        writer.queued()  # it is not preempted any more, as nothing will start it again
        writer.cancelled()
        return 1
    if restarts >= most:
        sys.stderr.write(f"{give_up(run, restarts, why).message}\n")
        return 1
    if slurm:
        return AGAIN if requeue(sweep, run, why) else 1
    writer.queued()
    return AGAIN


def refuse_start(run: RunFolder, most: int) -> str:
    """Record that Slurm itself has started a run again too often, as it does after preemptions and lost nodes.

    Returns:
        What is wrong; empty where the run may start.
    """
    if (restarts := restart_count()) <= most:
        return ""
    message = f"Slurm has started it again {restarts} times, more often than cluster.requeues={most}."
    writer = StatusWriter(run)
    if writer.status.state != "failed":  # else the last start has told why
        writer.queued()  # a preempted run that nothing will start again
        writer.failed(RunError("RequeueLimit", message, RAISE))
    return message


def give_up(run: RunFolder, restarts: int, why: str = "") -> RunError:
    """Record that a run that stopped short, for this reason the last time, will not be started again."""
    last = read_status(run).error
    if last is None:
        message = f"{why} It has been stopped {restarts + 1} times and requeued {restarts} times.".strip()
        error = RunError("RequeueLimit", message, RAISE)
    else:
        times = "once" if restarts == 1 else f"{restarts} times"
        message = f"{last.message}; it has been started again {times} before (cluster.requeues)"
        error = replace(last, message=message)
    writer = StatusWriter(run)
    writer.queued()  # it is not preempted any more, as nothing will start it again
    writer.failed(error)
    return error
