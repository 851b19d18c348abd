"""Whether a process that a record names is still the same process and still alive."""

from __future__ import annotations

from pathlib import Path

import psutil


def process_started(pid: int) -> str | None:
    """A token for when process ``pid`` of this machine started, or None if it is gone.

    Two processes that had the same number at different times, before and after a reboot included, have different
    tokens. A zombie counts as gone: it will never write again.
    """
    if Path("/proc/self/stat").exists():
        return _started_on_linux(pid)
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int, started: str) -> bool:
    """Whether the process that had number ``pid`` and start token ``started`` still runs on this machine."""
    return process_started(pid) == started


def _started_on_linux(pid: int) -> str | None:
    """Boot id and start tick: exact, where a wall-clock time would move with every correction of the clock."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field, the name, may itself hold spaces and brackets: count from the last bracket.
    fields = stat.rpartition(")")[2].split()
    state, start_tick = fields[0], fields[19]
    if state in "ZXx":
        return None
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/{start_tick}"
