"""What a job runs: one run of a sweep, from the sweep's frozen source, in the run's own folder.

    python -P -m harness.launch.job SWEEP INDEX

The working folder is the frozen source. Slurm's array task, a process of `harness.launch.sweep.local` and a retry all
start the same command: it goes on from the run's last checkpoint, or from its start where there is none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from harness.launch.sweep.drive import drive
from harness.launch.sweep.folder import SweepFolder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it.

    Returns:
        The exit code, see `drive`.
    """
    sweep_path, index = list(sys.argv[1:] if arguments is None else arguments)[:2]
    sweep = SweepFolder.open(sweep_path)
    plan = sweep.plan()
    code = sweep.code(plan)
    os.chdir(code)
    sys.path.insert(0, str(code))
    return drive(sweep, plan, plan.runs[int(index)])


if __name__ == "__main__":
    sys.exit(main())
