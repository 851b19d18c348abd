"""Does a run of a sweep in this process, whoever has started that: from its last checkpoint, or from its start."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Sequence

from omegaconf import OmegaConf

from harness.components.instantiate import instantiate
from harness.errors import Hang, HarnessError, Interrupted, Preempted, TakenOver
from harness.launch.again import refuse_start, start_again
from harness.launch.fence import Fence
from harness.launch.slurm.own_job import job_number, term_seconds
from harness.launch.stops import CANCEL_MARK, Stops
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder
from harness.records.run_folder import RunFolder
from harness.records.status import RunError, StatusWriter, read_status

DONE, FAILED = 0, 1


def run_in_this_process(sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun]) -> None:
    """Run these one after another, from the source that is being edited and not from its frozen copy."""
    for run in runs:
        if drive(sweep, plan, run) == Interrupted.exit_code:
            raise KeyboardInterrupt


def drive(sweep: SweepFolder, plan: Plan, planned: PlannedRun) -> int:
    """Do a run in this process; its status says how it went.

    Returns:
        The exit code: 0 done, 1 failed, 75 stopped short and to be started again.
    """
    run = sweep.run(planned)
    sweep.note(event="started", index=planned.index, host=socket.gethostname(), **_job())
    if read_status(run).state == "done" or (run.path / CANCEL_MARK).exists():
        return _say(f"{run.path} is done already, or cancelled", DONE)
    slurm, most = plan.launcher == "slurm", plan.cluster.get("requeues") or 0
    if slurm and (refused := refuse_start(run, most)):
        return _say(refused, FAILED)
    config = OmegaConf.load(run.config)
    try:
        fence = Fence(run)
        stops = (
            Stops(run.path, plan.cluster["grace_seconds"], term_seconds(), fence)
            if slurm
            else Stops(run.path, fence=fence)
        )
        given = {"config": config, "overrides": planned.words}
        instantiate(config.manager, "manager", config.trusted_modules, **given).resume(run, stops)
    except TakenOver as error:
        return _say(str(error), FAILED)
    except (Preempted, Hang) as error:
        return _say(str(error), start_again(sweep, run, most, slurm, error.message))
    except HarnessError as error:
        return fail(run, error)
    return DONE


def fail(run: RunFolder, error: HarnessError) -> int:
    """Record what failed before the run was supervised, such as a check; its end is recorded already where it was.

    Returns:
        The exit code.
    """
    status = read_status(run)
    if not status.has_ended or status.error is None:
        with contextlib.suppress(OSError):  # on a full disk
            StatusWriter(run).failed(RunError(type(error).__name__, error.message, error.remedy, log=str(run.log)))
    return _say(f"error: {error}", error.exit_code)


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


def _job() -> dict[str, str]:
    """The job's number in Slurm, and which start of it this is."""
    job = job_number()
    return {"job": job, "restarts": os.environ.get("SLURM_RESTART_COUNT", "0")} if job else {}
