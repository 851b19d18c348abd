"""Memory of this machine, or of what a container or a job leaves of it, before Ray is started."""

from __future__ import annotations

from pathlib import Path

import psutil

from harness.errors import TrainingError
from harness.records.control_groups import ROOT, limited_room

NEEDED_BYTES = 2 * 2**30  # Ray's processes and verl's imports, before any model
OBJECT_STORE_SHARE = 0.3  # of what is free; Ray's own default


def require_memory(root: Path = ROOT) -> None:
    """Stop where Ray could not start, or would be killed by the kernel.

    Raises:
        TrainingError: Less than `NEEDED_BYTES` are free.
    """
    free, room = psutil.virtual_memory().available, limited_room(root)
    where, remedy = "on this machine", "End other processes, or run on a machine with more memory."
    if room and room.free < free:
        free, where = room.free, f"of the {room.limit / 2**30:.1f} GiB that this container or job may take"
        remedy = (
            "Give it more (on Slurm: cluster.memory_gb; a container: its memory limit), or end other processes in it."
        )
    if free < NEEDED_BYTES:
        raise TrainingError(
            f"Ray cannot start: {free / 2**30:.1f} GiB of memory are free {where}, "
            f"{NEEDED_BYTES / 2**30:.0f} GiB are needed.",
            remedy,
            stage="starting Ray",
        )


def object_store_bytes(root: Path = ROOT) -> int | None:
    """What Ray's object store may take of a limited machine; None where Ray can see for itself.

    Ray looks for a limit at the root of the control groups only, where a container's is: of a Slurm job it takes a
    share of the whole machine, which the kernel counts as the job's.
    """
    room = limited_room(root)
    return int(room.free * OBJECT_STORE_SHARE) if room else None
