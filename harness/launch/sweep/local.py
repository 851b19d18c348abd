"""Runs a sweep on this machine, a few at a time, each in a process of its own: one's death touches no other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from harness.launch.again import AGAIN, RESTARTS
from harness.launch.sweep.folder import Plan, PlannedRun, SweepFolder

POLL_SECONDS = 0.2
ENDING_SECONDS = 60.0  # for runs that have been asked to stop


def run_here(sweep: SweepFolder, plan: Plan, runs: Sequence[PlannedRun], poll: Callable[[], None]) -> None:
    """Run these and return when all have ended, however they did; one that is to be started again gets in line.

    Args:
        sweep: The sweep.
        plan: Its plan.
        runs: What to run, in this order.
        poll: Called several times a second.

    Raises:
        KeyboardInterrupt: This process was asked to stop, by Ctrl-C or SIGTERM, and has stopped the runs under way.
    """
    waiting, going = [(run, 0) for run in runs], dict[int, subprocess.Popen[bytes]]()
    started: dict[int, tuple[PlannedRun, int]] = {}
    most = int(plan.cluster.get("at_once") or 1)
    with _interrupted_by_term(), _all_ended(going):
        while waiting or going:
            while waiting and len(going) < most:
                run, restarts = waiting.pop(0)
                going[run.index] = _start(sweep, plan, run, restarts)
                started[run.index] = (run, restarts)
            time.sleep(POLL_SECONDS)
            poll()
            for index in [index for index, process in going.items() if process.poll() is not None]:
                run, restarts = started[index]
                if going.pop(index).returncode == AGAIN:
                    waiting.append((run, restarts + 1))


def _start(sweep: SweepFolder, plan: Plan, run: PlannedRun, restarts: int) -> subprocess.Popen[bytes]:
    """The command that a Slurm job runs too, on the sweep's frozen source."""
    code = sweep.code(plan)
    path = os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-u", "-m", "harness.launch.job", str(sweep.path), str(run.index)]
    environment = {**os.environ, "PYTHONPATH": path, RESTARTS: str(restarts)}
    with (sweep.logs / f"local-{run.index}.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=code, env=environment, stdout=log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip


@contextlib.contextmanager
def _all_ended(going: dict[int, subprocess.Popen[bytes]]) -> Iterator[None]:
    """Whatever ends this process's waiting ends its runs: they record that they were cancelled."""
    try:
        yield
    finally:
        for process in going.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + ENDING_SECONDS
        for process in going.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


@contextlib.contextmanager
def _interrupted_by_term() -> Iterator[None]:
    """SIGTERM means what Ctrl-C does; by default it would end this process alone, and the runs would go on unseen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
