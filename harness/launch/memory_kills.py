"""Whether the kernel has killed processes of this job for want of memory: such a training fails with something else.

A control group counts these kills, its own and those below it: Slurm and container engines give each job one.
"""

from __future__ import annotations

import re
from pathlib import Path

from harness.records.control_groups import ROOT, limited_room, memory_groups
from harness.records.status import RunError

LESS = "train with less: a smaller model, data.train_batch_size, data.max_response_length or trainer.n_gpus_per_node"
_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def memory_kills(root: Path = ROOT) -> int:
    """How many processes of this process's control group have been killed so far; 0 where nothing counts them.

    Args:
        root: Of the file system; another one in tests.
    """
    for group in memory_groups(root):
        for file in (group / "memory.events", group / "memory.oom_control"):  # version 2 and 1
            if file.is_file():  # the nearest one: those above count the kills of other jobs too
                match = _COUNT.search(file.read_text())
                return int(match[1]) if match else 0
    return 0


def out_of_memory(killed: int, error: RunError, by_slurm: bool, root: Path = ROOT) -> RunError:
    """The error of a run that lost processes so, in place of what that led to.

    Args:
        killed: How many.
        error: What that led to.
        by_slurm: Whether the run is a job of Slurm's, whose memory is a key of the configuration.
        root: Of the file system; another one in tests.
    """
    processes = "a process was" if killed == 1 else f"{killed} processes were"
    if by_slurm:
        why, remedy = "the job took more than it asked for (cluster.memory_gb)", "Ask for more, or train with less"
    elif room := limited_room(root):
        why = f"this container or session may take {room.limit / 2**30:.1f} GiB, and that was not enough"
        remedy = f"Give it more, or {LESS}"
    else:
        why, remedy = "this machine has no more", f"End other programs on it, or {LESS}"
    message = f"{processes} killed for want of memory: {why}"
    return RunError("OutOfMemory", message, f"{remedy}. It ended as: {error.message}", error.stage, error.log)
