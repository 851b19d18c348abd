"""What Slurm has accepted of a sweep, so that a submission that is killed at any point can be completed.

Before each array its token is noted in the journal, and its job's number after, or that it was refused. A token with
neither is looked up in Slurm by the job's name: what was accepted is adopted, the rest is submitted. Who decides what
to submit holds the sweep's lock and has to be sure of what was accepted; who only looks is not held up.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from harness.errors import HarnessError
from harness.launch.slurm.commands import LIMIT_SECONDS, NoAccountingError, SlurmError, slurm

if TYPE_CHECKING:
    from harness.launch.sweep.folder import SweepFolder

LOCK = "submitting.lock"
LOOK_EVERY_SECONDS = 2.0
SKEW_SECONDS = 3600.0  # by which the clock of another login node may differ


@contextlib.contextmanager
def submitting(sweep: SweepFolder) -> Iterator[None]:
    """For the body, no other command decides what of the sweep to submit.

    Raises:
        HarnessError: Another one does.
    """
    lock = FileLock(sweep.logs / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        message = f"Another command submits runs of {sweep.shown()} right now; this one has submitted nothing."
        raise HarnessError(message, f"See harness sweep status {sweep.shown()}, and try again.") from error
    try:
        yield
    finally:
        lock.release()


def submitted(sweep: SweepFolder) -> dict[int, str]:
    """The last job of each run that is known to be accepted, ``ARRAY_TASK``; all of them where Slurm answers."""
    with contextlib.suppress(SlurmError):  # told by whoever asks for the jobs' states
        _adopt(sweep)
    return _noted(sweep)


def surely_submitted(sweep: SweepFolder) -> dict[int, str]:
    """The same for who submits what is not in it. Waits for an sbatch that may have outlived its driver.

    Raises:
        SlurmError: Slurm does not tell what it has accepted.
    """
    told = False
    while any(_is_young(entry) for entry in _adopt_or_stop(sweep)):
        if not told:
            told = True
            sys.stderr.write(f"A submission was cut off: it is certain in {LIMIT_SECONDS:.0f} s whether it arrived.\n")
        time.sleep(LOOK_EVERY_SECONDS)
    return _noted(sweep)


def _adopt_or_stop(sweep: SweepFolder) -> list[dict[str, Any]]:
    try:
        return _adopt(sweep)
    except SlurmError as error:
        raise SlurmError(
            f"Slurm does not tell whether it has accepted the last submission: {error.message}",
            "Nothing was submitted now; try again when squeue answers.",
        ) from error


def _adopt(sweep: SweepFolder) -> list[dict[str, Any]]:
    """Note what a killed submission left in Slurm.

    Returns:
        The entries of what is not there.
    """
    entries = sweep.journal()
    known = {str(entry["token"]) for entry in entries if entry.get("event") in ("submitted", "refused")}
    missing = []
    for entry in [entry for entry in entries if entry.get("event") == "submitting" and entry["token"] not in known]:
        if job := _job_named(str(entry["token"]), entry.get("time", 0.0)):
            sweep.note(**{**entry, "event": "submitted", "job": job, "adopted": True})
        else:
            missing.append(entry)
    return missing


def _is_young(entry: dict[str, Any]) -> bool:
    """Whether its sbatch may still be on its way."""
    return abs(time.time() - entry.get("time", 0.0)) < LIMIT_SECONDS


def _noted(sweep: SweepFolder) -> dict[int, str]:
    found: dict[int, str] = {}
    for entry in sweep.journal():
        if entry.get("event") == "submitted":
            found |= {entry["offset"] + task: f"{entry['job']}_{task}" for task in entry["tasks"]}
    return found


def _job_named(token: str, since: float) -> str:
    """The array that bears this name, queued, running or ended; empty where there is none.

    Raises:
        SlurmError: Slurm does not answer, so that there may be one.
    """
    found = slurm("squeue", "-h", "-o", "%F", "-t", "all", "-n", token).stdout.split()
    if not found:
        start = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(max(0.0, since - SKEW_SECONDS)))
        try:  # without -S it looks back to midnight alone
            found = slurm("sacct", "-n", "-X", "-P", "-o", "JobID", "--name", token, "-S", start).stdout.split()
        except NoAccountingError:
            return ""
    return found[0].partition("_")[0] if found else ""
