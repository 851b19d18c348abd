"""Submits a sweep's runs as arrays, so that a submission that is killed at any point can be completed.

Before each array its token is noted in the journal, and its job's number after. A token without a number is looked up
in Slurm by the job's name: what was accepted is adopted, the rest is submitted.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from harness.launch.slurm.commands import SlurmError, slurm
from harness.launch.slurm.script import Array, sbatch_script

if TYPE_CHECKING:
    from harness.launch.sweep.folder import Plan, SweepFolder

DEFAULT_ARRAY_SIZE = 1001


def submit(sweep: SweepFolder, plan: Plan, indices: Sequence[int], name: str) -> list[str]:
    """Queue these runs.

    Args:
        sweep: The sweep.
        plan: Its plan.
        indices: Runs to start.
        name: What ``squeue`` shows, before the token.

    Returns:
        The numbers of the jobs.

    Raises:
        SlurmError: Slurm refused one; what was accepted before stays.
    """
    cluster = OmegaConf.create(plan.cluster)
    jobs = []
    for part in _parts(sorted(indices), array_limit()):
        token = f"{name}-{secrets.token_hex(4)}"
        script = sbatch_script(cluster, Array(part, sweep.path, token, sweep.code(plan)))
        (sweep.logs / f"{token}.sbatch").write_text(script)
        sweep.note(event="submitting", token=token, indices=part)
        answer = slurm("sbatch", "--parsable", given=script)
        job = answer.stdout.strip().partition(";")[0]
        sweep.note(event="submitted", token=token, job=job, indices=part)
        jobs.append(job)
    return jobs


def submitted(sweep: SweepFolder) -> dict[int, str]:
    """The last job of each run that Slurm has accepted, ``ARRAY_TASK``; adopts what a killed submission left."""
    entries = sweep.journal()
    known = {str(entry["token"]) for entry in entries if entry.get("event") == "submitted"}
    for entry in [entry for entry in entries if entry.get("event") == "submitting" and entry["token"] not in known]:
        if job := _job_named(str(entry["token"])):
            sweep.note(event="submitted", token=entry["token"], job=job, indices=entry["indices"], adopted=True)
    found: dict[int, str] = {}
    for entry in sweep.journal():
        if entry.get("event") == "submitted":
            found |= {int(index): f"{entry['job']}_{index}" for index in entry["indices"]}
    return found


def array_limit() -> int:
    """The most tasks of an array on this cluster (the largest index is one less)."""
    try:
        said = slurm("scontrol", "show", "config").stdout
    except SlurmError:
        return DEFAULT_ARRAY_SIZE
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", said)
    return int(match[1]) if match else DEFAULT_ARRAY_SIZE


def _parts(indices: Sequence[int], most: int) -> list[list[int]]:
    """Arrays of at most so many tasks."""
    return [list(indices[start : start + most]) for start in range(0, len(indices), most)]


def _job_named(token: str) -> str:
    """The array that bears this name, queued, running or ended a short while ago; empty where there is none."""
    for command in (("squeue", "-h", "-o", "%F", "-t", "all", "-n", token), ("sacct", "-n", "-X", "-P", "-o", "JobID",
                                                                             "--name", token)):  # fmt: skip
        try:
            lines: list[Any] = slurm(*command).stdout.split()
        except SlurmError:
            continue
        if lines:
            return str(lines[0]).partition("_")[0]
    return ""
