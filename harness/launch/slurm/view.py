"""Slurm's own view of jobs: from ``squeue`` and ``scontrol``, and from ``sacct`` what these have forgotten."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Collection
from dataclasses import dataclass

from harness.launch.slurm.commands import NoAccountingError, NoSuchJobError, SlurmError, slurm

WAITING = frozenset({"PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "CONFIGURING", "SUSPENDED", "RESV_DEL_HOLD"})
GOING = frozenset({"RUNNING", "COMPLETING", "STAGE_OUT", "SIGNALING", "STOPPED"})


@dataclass(frozen=True)
class JobView:
    """What Slurm says of one task.

    Attributes:
        state: As Slurm spells it, such as ``OUT_OF_MEMORY``.
        why: Why it waits or how it ended, such as ``exit code 3`` or ``Resources``.
        left: Time to its limit, as ``squeue`` shows it; empty where it does not run.
    """

    state: str
    why: str = ""
    left: str = ""

    @property
    def is_waiting(self) -> bool:
        """Whether it is in the queue."""
        return self.state in WAITING

    @property
    def is_going(self) -> bool:
        """Whether it runs, or is about to end."""
        return self.state in GOING


def view_jobs(jobs: Collection[str]) -> dict[str, JobView] | None:
    """The state of jobs.

    Args:
        jobs: ``ARRAY_TASK`` each, or a job's number.

    Returns:
        Those that Slurm still knows; None where it does not answer, which says nothing of the jobs.
    """
    arrays = sorted({job.partition("_")[0] for job in jobs})
    if not arrays:
        return {}
    try:
        found = {**_remembered(arrays), **_queued(arrays)}
        if forgotten := sorted({job.partition("_")[0] for job in jobs if job not in found}):
            found = {**_accounted(forgotten), **found}
    except SlurmError as error:
        _warn(error.message)
        return None
    return {job: found[job] for job in jobs if job in found}


@functools.cache
def _warn(message: str) -> None:
    """Once in a process: what waits for jobs asks every few seconds."""
    sys.stderr.write(f"Slurm does not answer ({message}): the states of its jobs are the last that are known.\n")


def _queued(arrays: list[str]) -> dict[str, JobView]:
    try:
        said = slurm("squeue", "-h", "-r", "-o", "%i|%T|%r|%L", "--jobs", ",".join(arrays)).stdout
    except NoSuchJobError:
        return {}
    found = {}
    for line in said.splitlines():
        job, state, reason, left = line.split("|")[:4]
        found[job] = JobView(state, "" if reason == "None" else reason, left if state == "RUNNING" else "")
    return found


def _accounted(arrays: list[str]) -> dict[str, JobView]:
    command = ["sacct", "-n", "-X", "-P", "-o", "JobID,State,ExitCode", "-j", ",".join(arrays)]
    try:
        said = slurm(*command).stdout
    except NoAccountingError:
        return {}
    found = {}
    for line in said.splitlines():
        job, state, code = line.split("|")[:3]
        found[job] = JobView(state.split()[0], _code(code))
    return found


def _remembered(arrays: list[str]) -> dict[str, JobView]:
    """What slurmctld keeps of ended jobs for a while (MinJobAge, five minutes by default)."""
    found = {}
    for array in arrays:
        try:
            said = slurm("scontrol", "show", "job", array, "-o").stdout
        except NoSuchJobError:
            continue
        for line in said.splitlines():
            about = dict(re.findall(r"(\w+)=(\S*)", line))
            task = about.get("ArrayTaskId", "")
            job = f"{array}_{task}" if task else array
            found[job] = JobView(about.get("JobState", ""), _code(about.get("ExitCode", "")))
    return found


def _code(text: str) -> str:
    """``3:0`` is exit code 3, ``0:9`` is signal 9."""
    code, _, signal = text.partition(":")
    if signal not in ("", "0"):
        return f"signal {signal}"
    return f"exit code {code}" if code not in ("", "0") else ""
