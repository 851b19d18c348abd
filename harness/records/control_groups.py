"""The control groups whose memory limits hold for this process; Slurm and container engines give each job one.

Both versions. https://docs.kernel.org/admin-guide/cgroup-v2.html, https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path("/")
_LIMIT_AND_USAGE = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
_PAGE_CACHE = ("inactive_file", "active_file")


@dataclass(frozen=True)
class Room:
    """Memory that a control group still lets its processes take.

    Attributes:
        free: In bytes; page cache, which the kernel gives back, counts as free.
        limit: In bytes; version 1 has a huge number where there is none.
    """

    free: int
    limit: int


def memory_groups(root: Path = ROOT) -> Iterator[Path]:
    """Folders of the memory control groups that this process is in, its own first, then those above it.

    A container may see none but its own, as the root of all.

    Args:
        root: Of the file system; another one in tests.
    """
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.is_file() else ():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount = root / ("sys/fs/cgroup/memory" if controllers else "sys/fs/cgroup")
        own = mount / path.lstrip("/")
        yield from (group for group in (own, *own.parents) if group.is_relative_to(mount) and group.is_dir())


def memory_room(root: Path = ROOT, limit_below: float = math.inf) -> Room | None:
    """The room of the tightest control group; None where none has a limit, or a limit so low."""
    rooms = [room for group in memory_groups(root) if (room := _room(group)) and room.limit < limit_below]
    return min(rooms, key=lambda room: room.free, default=None)


def limited_room(root: Path = ROOT) -> Room | None:
    """The room of this process's container or job, where that may take less than the machine has."""
    return memory_room(root, limit_below=psutil.virtual_memory().total)


def _room(group: Path) -> Room | None:
    for limit_file, usage_file in _LIMIT_AND_USAGE:
        try:
            limit, usage = int((group / limit_file).read_text()), int((group / usage_file).read_text())
            return Room(max(0, limit - usage + _page_cache(group)), limit)
        except (OSError, ValueError):  # no such file, or the word `max`
            continue
    return None


def _page_cache(group: Path) -> int:
    stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    return sum(int(stat.get(f"total_{name}") or stat.get(name) or 0) for name in _PAGE_CACHE)  # v1: with those below it
