"""The process that follows one run and tells W&B of it: ``python -m harness.tracking.follow RUN [--of PID]``.

It reads what the training writes and the training never waits for it. It ends when the run has ended and W&B has been
told, or when it is told to end.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.records.generations import read_generations
from harness.records.metrics import MetricsTail, StepRecord
from harness.records.run_folder import RunFolder
from harness.records.status import read_status
from harness.records.summary import summarise
from harness.tracking.identity import identity_of
from harness.tracking.key import missing_to_client
from harness.tracking.service import end_with_this_process
from harness.tracking.wandb_run import WandbRun

POLL_SECONDS = 1.0
LESS_URGENT = 10  # than the training, where both want the same cores: the client's start takes seconds of one
SERVICE = "WANDB_SERVICE"  # by which the client's processes find the service that has the failed run open
EXIT_CODES = {"done": 0, "cancelled": 130, "preempted": 75}


def main(arguments: list[str] | None = None) -> int:
    """Follow it to its end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--of", type=int, help="the process that drives the run and whose resources are the run's")
    parser.add_argument("--offline", default="", help="why W&B is not to be reached")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the client closes its files then
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a person's Ctrl-C is for the driver, which sees to this process
    end_with_this_process()
    if given.of and not given.offline:  # a second start has it already
        os.nice(LESS_URGENT)
    run = RunFolder(Path(given.run))
    section = (yaml.safe_load(run.config.read_text()) or {}).get("tracking") or {}
    offline = given.offline or _offline(section)
    try:
        follow(run, WandbRun(run, identity_of(run), offline, int(section.get("generations", 64)), given.of))
    except Exception as error:  # noqa: BLE001  whatever it is, the run is kept here
        why = " ".join(str(error).split())[:300] or type(error).__name__
        sys.stderr.write(f"{why}\n")
        if offline:
            return 1
        again = ["--offline", why, *(["--of", str(given.of)] if given.of else [])]
        environment = {name: value for name, value in os.environ.items() if name != SERVICE}
        command = [sys.executable, "-m", "harness.tracking.follow", given.run, *again]
        os.execve(sys.executable, command, environment)
    return 0


def _offline(section: Mapping[str, Any]) -> str:
    """Why W&B is not to be reached; empty where it is."""
    mode = os.environ.get("WANDB_MODE") or section.get("mode") or "online"
    if mode != "online":
        return f"the mode is {mode}"
    return missing_to_client()


def follow(run: RunFolder, tracker: WandbRun) -> None:
    """Tell W&B of a run until it has ended."""
    tail, told = MetricsTail(run.metrics), set[int]()
    while True:
        ended = read_status(run).has_ended  # asked before the last look, so that nothing is missed
        for record in tail.poll():
            _tell(tracker, run, record, told)
        if ended:
            break
        time.sleep(POLL_SECONDS)
    status, summary = read_status(run), summarise(run)
    best = {f"best/{row.name}": row.best for row in summary.rows}
    tracker.finish(EXIT_CODES.get(status.state, 1), {"state": status.state, **best})


def _tell(tracker: WandbRun, run: RunFolder, record: StepRecord, told: set[int]) -> None:
    samples = run.generations / f"{record.step}.jsonl"
    wanted = tracker.generations and record.step > tracker.state.told_step and record.step not in told
    if wanted and samples.is_file():
        tracker.log_generations(record.step, read_generations(run.generations, record.step))
        told.add(record.step)
    tracker.log(record)


if __name__ == "__main__":
    sys.exit(main())
