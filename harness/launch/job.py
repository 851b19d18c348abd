"""What a job runs: one run of a sweep, from the sweep's frozen source, in the run's own folder.

    python -P -m harness.launch.job SWEEP INDEX

The working folder is the frozen source. Slurm's array task, a process of `harness.launch.sweep.local` and a retry all
start the same command: it goes on from the run's last checkpoint, or from its start where there is none. Of a run over
several nodes Slurm starts it on each, and all but the first serve that one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from harness.errors import HarnessError, disk_full
from harness.launch.slurm.nodes import driving, is_first, serve
from harness.launch.sweep.drive import drive, fail
from harness.launch.sweep.folder import SweepFolder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it.

    Returns:
        The exit code, see `drive`.
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
    try:
        with driving(sweep.logs, nodes):
            return drive(sweep, plan, planned)
    except HarnessError as error:
        return fail(sweep.run(planned), error)
    except OSError as error:
        if (full := disk_full(error, sweep.path)) is None:
            raise
        return fail(sweep.run(planned), full)


if __name__ == "__main__":
    sys.exit(main())
