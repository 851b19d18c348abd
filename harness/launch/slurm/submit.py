"""Submits a sweep's runs as arrays, so that a submission that is killed at any point can be completed.

Before each array its token is noted in the journal, and its job's number after. A token without a number is looked up
in Slurm by the job's name: what was accepted is adopted, the rest is submitted.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from itertools import groupby
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
    for offset, tasks in _parts(sorted(indices), array_limit()):
        token = f"{name}-{secrets.token_hex(4)}"
        script = sbatch_script(cluster, Array(tasks, sweep.path, token, sweep.code(plan), offset))
        (sweep.logs / f"{token}.sbatch").write_text(script)
        about = {"token": token, "offset": offset, "tasks": tasks}
        sweep.note(event="submitting", **about)
        answer = slurm("sbatch", "--parsable", given=script)
        job = answer.stdout.strip().partition(";")[0]
        sweep.note(event="submitted", job=job, **about)
        jobs.append(job)
    return jobs


def submitted(sweep: SweepFolder) -> dict[int, str]:
    """The last job of each run that Slurm has accepted, ``ARRAY_TASK``; adopts what a killed submission left."""
    entries = sweep.journal()
    known = {str(entry["token"]) for entry in entries if entry.get("event") == "submitted"}
    for entry in [entry for entry in entries if entry.get("event") == "submitting" and entry["token"] not in known]:
        if job := _job_named(str(entry["token"])):
            sweep.note(**{**entry, "event": "submitted", "job": job, "adopted": True})
    found: dict[int, str] = {}
    for entry in sweep.journal():
        if entry.get("event") == "submitted":
            found |= {entry["offset"] + task: f"{entry['job']}_{task}" for task in entry["tasks"]}
    return found


def array_limit() -> int:
    """The most tasks of an array on this cluster (the largest index is one less)."""
    try:
        said = slurm("scontrol", "show", "config").stdout
    except SlurmError:
        return DEFAULT_ARRAY_SIZE
    match = re.search(r"MaxArraySize\s*=\s*(\d+)", said)
    return int(match[1]) if match else DEFAULT_ARRAY_SIZE


def _parts(indices: Sequence[int], most: int) -> list[tuple[int, list[int]]]:
    """Arrays, ``(offset, tasks)``, whose tasks are below the limit in number and count."""
    blocks = groupby(sorted(indices), key=lambda index: index // most * most)
    return [(offset, [index - offset for index in block]) for offset, block in blocks]


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
