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
from harness.launch.sweep.devices import shares
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
        KeyboardInterrupt: This process was asked to stop, by Ctrl-C, SIGTERM or SIGHUP, and has stopped its runs.
    """
    waiting, going = [(run, 0) for run in runs], dict[int, subprocess.Popen[bytes]]()
    started: dict[int, tuple[PlannedRun, int, dict[str, str]]] = {}
    free = shares(plan.cluster)
    with _interrupted(), _all_ended(going):
        while waiting or going:
            while waiting and free:
                (run, restarts), share = waiting.pop(0), free.pop(0)
                going[run.index] = _start(sweep, plan, run, {RESTARTS: str(restarts), **share})
                started[run.index] = (run, restarts, share)
            time.sleep(POLL_SECONDS)
            poll()
            for index in [index for index, process in going.items() if process.poll() is not None]:
                run, restarts, share = started[index]
                free.append(share)
                if going.pop(index).returncode == AGAIN:
                    waiting.append((run, restarts + 1))


def _start(sweep: SweepFolder, plan: Plan, run: PlannedRun, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """The command that a Slurm job runs too, on the sweep's frozen source."""
    code = sweep.code(plan)
    path = os.pathsep.join(filter(None, (str(code), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-u", "-m", "harness.launch.job", str(sweep.path), str(run.index)]
    environment = {**os.environ, "PYTHONPATH": path, **variables}
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
def _interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP mean what Ctrl-C does: by default they end this process alone, and its runs go on unseen."""
    meant = (signal.SIGTERM, signal.SIGHUP) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.getsignal(number) for number in meant}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
