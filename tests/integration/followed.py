"""The part of a training that W&B could touch, without the training: ``python followed.py RUN STEPS``.

Writes steps while the run is followed, goes on until its standard input ends, and prints the seconds that starting, the
slowest step and the end took.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from harness.records.metrics import MetricsWriter
from harness.records.run_folder import RunFolder
from harness.records.status import StatusWriter
from harness.tracking.process import tracked


def main() -> None:
    """As `harness.launch.supervise` follows a run."""
    run, steps = RunFolder(Path(sys.argv[1])), int(sys.argv[2])
    writer, status = MetricsWriter(run.metrics), StatusWriter(run)
    status.running(steps)
    taken = []
    began = time.monotonic()
    with tracked(run):
        started = time.monotonic()
        for step in range(1, steps + 1):
            at = time.monotonic()
            writer.write(step, {f"metric/{number}": float(step) for number in range(60)})
            taken.append(time.monotonic() - at)
        sys.stdin.read()
        status.done()
        ended = time.monotonic()
    seconds = {"start_s": started - began, "slowest_step_s": max(taken), "end_s": time.monotonic() - ended}
    sys.stdout.write(json.dumps({name: round(value, 4) for name, value in seconds.items()}))


if __name__ == "__main__":
    main()
