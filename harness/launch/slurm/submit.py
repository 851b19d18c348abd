"""Submits a sweep's runs as arrays, each noted in the journal before and after, as `accepted` needs it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from harness.launch.slurm.commands import NoAnswerError, SlurmError, slurm
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
        sweep.note(event="submitting", time=time.time(), **about)
        try:
            answer = slurm("sbatch", "--parsable", given=script)
        except NoAnswerError:
            raise
        except SlurmError:
            sweep.note(event="refused", token=token)
            raise
        job = answer.stdout.strip().partition(";")[0]
        sweep.note(event="submitted", job=job, **about)
        jobs.append(job)
    return jobs


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
