"""What a job runs: one run of a sweep, from the sweep's frozen source, in the run's own folder.

    python -P -m harness.launch.job SWEEP INDEX

The working folder is the frozen source. Slurm's array task, a process of `harness.launch.sweep.local` and a retry all
start the same command: it goes on from the run's last checkpoint, or from its start where there is none. Of a run over
several nodes Slurm starts it on each, and all but the first serve that one.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence

from omegaconf import OmegaConf

from harness.components.instantiate import instantiate
from harness.errors import Hang, HarnessError, Preempted, TakenOver
from harness.launch.again import start_again
from harness.launch.fence import Fence
from harness.launch.slurm.commands import kill_wait
from harness.launch.slurm.nodes import driving, is_first, serve
from harness.launch.stops import CANCEL_MARK, Stops
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder
from harness.records.run_folder import RunFolder
from harness.records.status import RunError, StatusWriter, read_status

DONE, FAILED = 0, 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it.

    Returns:
        The exit code: 0 done, 1 failed, 75 stopped short and to be started again.
    """
    sweep_path, index = list(sys.argv[1:] if arguments is None else arguments)[:2]
    sweep = SweepFolder.open(sweep_path)
    plan = sweep.plan()
    planned = plan.runs[int(index)]
    code = sweep.code(plan)
    os.chdir(code)
    sys.path.insert(0, str(code))
    nodes = int(plan.cluster["nodes"]) if plan.launcher == "slurm" else 1
    if nodes > 1 and not is_first():
        serve(sweep.logs, nodes)
    run = sweep.run(planned)
    try:
        with driving(sweep.logs, nodes):
            return _drive(sweep, plan, planned, run)
    except HarnessError as error:
        _record(run, error)
        return _say(f"error: {error}", error.exit_code)


def _drive(sweep: SweepFolder, plan: Plan, planned: PlannedRun, run: RunFolder) -> int:
    sweep.note(event="started", index=planned.index, host=socket.gethostname(), **_job())
    if read_status(run).state == "done" or (run.path / CANCEL_MARK).exists():
        return _say(f"{run.path} is done already, or cancelled", DONE)
    config, slurm = OmegaConf.load(run.config), plan.launcher == "slurm"
    try:
        fence = Fence(run)
        stops = (
            Stops(run.path, plan.cluster["grace_seconds"], kill_wait(), fence)
            if slurm
            else Stops(run.path, fence=fence)
        )
        given = {"config": config, "overrides": planned.words}
        instantiate(config.manager, "manager", config.trusted_modules, **given).resume(run, stops)
    except TakenOver as error:
        return _say(str(error), FAILED)
    except (Preempted, Hang) as error:
        return _say(str(error), start_again(sweep, run, plan.cluster.get("requeues") or 0, slurm, error.message))
    return DONE


def _record(run: RunFolder, error: HarnessError) -> None:
    """What failed before the run was supervised, such as a check; its end is recorded already where it was."""
    status = read_status(run)
    if not status.has_ended or status.error is None:
        StatusWriter(run).failed(RunError(type(error).__name__, error.message, error.remedy, log=str(run.log)))


def _say(text: str, code: int) -> int:
    sys.stderr.write(f"{text}\n")
    return code


def _job() -> dict[str, str]:
    """The job's number in Slurm, as ``squeue`` shows it."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    job = f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID", "")
    return {"job": job, "restarts": os.environ.get("SLURM_RESTART_COUNT", "0")} if job else {}


if __name__ == "__main__":
    sys.exit(main())
