"""Nothing is left of a run's processes and files on this machine, however it ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import psutil

ORPHANS_SECONDS = 10  # in which Ray's workers end by themselves when the driver has been killed
SHUTDOWN_SECONDS = 10.0
# $0 is the folder; each line is a process to end should this one be killed, or the word that all went well
JANITOR = f"""
while read -r line; do [ "$line" = done ] && rm -rf "$0" && exit; started="$started $line"; done
sleep {ORPHANS_SECONDS}
for pid in $started; do grep -qsE "^(ray|gcs_server)" "/proc/$pid/comm" && kill -9 "$pid"; done
rm -rf "$0"
"""


@contextlib.contextmanager
def temporary_folder() -> Iterator[tuple[str, Callable[[], None]]]:
    """A folder that is gone afterwards, even if this process is killed, and with it what Ray leaves running then.

    Ray's workers end with their driver, but the agents of its node go on for minutes. A shell outside this process's
    session waits for a word from it that does not come if it is killed.

    Yields:
        The folder, whose name is short because the paths of Ray's sockets may have 107 characters; and a function that
        notes the processes started so far.
    """
    folder = tempfile.mkdtemp(prefix="hr-", dir=os.environ.get("RAY_TMPDIR") or "/tmp")
    before = {child.pid for child in psutil.Process().children()}
    janitor = subprocess.Popen(["sh", "-c", JANITOR, folder], stdin=subprocess.PIPE, start_new_session=True, text=True)

    def note_processes() -> None:
        _tell(janitor, *(str(child.pid) for child in _started_since({*before, janitor.pid})))

    try:
        yield folder, note_processes
    finally:
        _tell(janitor, "done")
        janitor.wait()
        shutil.rmtree(folder, ignore_errors=True)  # where the janitor got a signal that was for this process


def _tell(janitor: subprocess.Popen[str], *lines: str) -> None:
    if janitor.stdin:
        with contextlib.suppress(BrokenPipeError):
            janitor.stdin.write("".join(f"{line}\n" for line in lines))
            janitor.stdin.flush()


@contextlib.contextmanager
def processes_ended(patience: float = SHUTDOWN_SECONDS) -> Iterator[Callable[[], None]]:
    """End what was started in the body and has outlived it.

    Args:
        patience: How long it may outlive it, in seconds.

    Yields:
        A function to call before Ray shuts down: afterwards its orphans are nobody's children.
    """
    before = {child.pid for child in psutil.Process().children()}
    started: list[psutil.Process] = []

    def note() -> None:
        started.extend(_started_since(before))

    try:
        yield note
    finally:
        note()
        _end(started, patience)


@contextlib.contextmanager
def processes_ended_on_error() -> Iterator[None]:
    """End what was started in the body at once, should it fail."""
    before = {child.pid for child in psutil.Process().children()}
    try:
        yield
    except BaseException:
        _end(list(_started_since(before)), 0.0)
        raise


def _end(processes: list[psutil.Process], patience: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=SHUTDOWN_SECONDS)


def _started_since(before: set[int]) -> Iterator[psutil.Process]:
    """This process's children but those of before, and what they started; what those of before start is theirs."""
    for child in psutil.Process().children():
        if child.pid not in before:
            yield child
            with contextlib.suppress(psutil.NoSuchProcess):
                yield from child.children(recursive=True)
