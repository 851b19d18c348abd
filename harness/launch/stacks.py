"""What every process of a run is doing: a file each, with the Python stacks of its threads.

Processes that have called `harness.records.stacks.answer_with_stacks` answer a signal. Of other Python processes py-spy
tells, where it is installed and may look; of all of them the kernel says what they wait for. The files are named by
host, so that other nodes' can lie beside them.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import psutil

import harness
from harness.records.masking import mask_arguments
from harness.records.stacks import FOLDER, SIGNAL

TITLE = "Python stacks, the most recent call first:"
ANSWER_SECONDS = 5.0
SPY_SECONDS = 10.0
SHOWN = 500  # characters of a command line; Ray's have thousands
_STILL_SECONDS = 0.3  # an answer that has not grown for so long is whole
_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)$', re.MULTILINE)


def take_stacks(into: Path) -> str:
    """Write the stacks of this process, of those it has started and of those that answer for this run on this host.

    Args:
        into: The folder, which is made.

    Returns:
        Where code of the user's waits, ``rewards.py:7 in score``; empty where none is on a stack.
    """
    into.mkdir(parents=True, exist_ok=True)
    folder = Path(os.environ.get(FOLDER) or "/nowhere")
    processes = list(_processes(folder))
    answers = _answers(folder, [process.pid for process in processes])
    place = ""
    for process in processes:
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            name = _name(process)
            stacks = _own() if process.pid == os.getpid() else answers.get(process.pid) or _spied(process)
            file = into / f"{socket.gethostname()}-{process.pid}-{name}.txt"
            file.write_text("\n".join((_head(process), stacks, _kernel(process.pid))), errors="backslashreplace")
            if process.pid != os.getpid():  # a user's script that called us is no place to wait
                place = place or _users_place(stacks)
    return place


def _processes(folder: Path) -> Iterable[psutil.Process]:
    """This one, its descendants, and those whose Ray is not this process's."""
    here = psutil.Process()
    found = {process.pid: process for process in (here, *here.children(recursive=True))}
    for pid in [int(file.name) for file in folder.iterdir()] if folder.is_dir() else ():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.setdefault(pid, psutil.Process(pid))
    return found.values()


def _answers(folder: Path, pids: Iterable[int]) -> Mapping[int, str]:
    """Ask all, then read; the silent are left out."""
    files = {pid: folder / str(pid) for pid in pids if (folder / str(pid)).is_file() and _listens(pid)}
    before = {pid: file.stat().st_size for pid, file in files.items()}
    for pid in files:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, SIGNAL)
    sizes: dict[int, int] = {}
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        last, sizes = sizes, {pid: file.stat().st_size for pid, file in files.items()}
        if last == sizes and all(sizes[pid] > before[pid] for pid in files):
            break
        time.sleep(_STILL_SECONDS)
    texts = {pid: file.read_bytes()[before[pid] :].decode(errors="replace") for pid, file in files.items()}
    return {pid: f"{TITLE}\n{text}" for pid, text in texts.items() if text}


def _own() -> str:
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return f"{TITLE}\n{file.read()}"


def _listens(pid: int) -> bool:
    """Whether the process has a handler; without one the signal would end it."""
    try:
        caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return bool(caught and int(caught[1], 16) >> (SIGNAL - 1) & 1)


def _spied(process: psutil.Process) -> str:
    """What py-spy sees of a Python process that does not answer."""
    spy = shutil.which("py-spy", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if not spy or not Path(process.exe()).name.startswith("python"):
        return ""
    command = [spy, "dump", "--nonblocking", "--pid", str(process.pid)]
    try:
        seen = subprocess.run(command, capture_output=True, text=True, timeout=SPY_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return "py-spy took too long\n"
    if seen.returncode:
        return f"py-spy: {seen.stderr.partition(chr(10))[0]}\n"
    return seen.stdout.partition("\n")[2]  # the first line is the command's, secrets and all


def _name(process: psutil.Process) -> str:
    """``driver``, ``TaskRunner.run``, ``scoring``, ``raylet``: plain enough for a file."""
    if process.pid == os.getpid():
        return "driver"
    command = process.cmdline()
    if "harness.scoring.child" in command:
        return "scoring"
    script = next((Path(word).stem for word in command if word.endswith(".py")), process.name())
    name = command[0].removeprefix("ray::") if command and command[0].startswith("ray::") else script
    return re.sub(r"[^A-Za-z0-9._]+", "-", name)[:60].strip("-") or "process"


def _head(process: psutil.Process) -> str:
    with process.oneshot():
        memory = process.memory_info().rss / 2**30
        words = " ".join(mask_arguments(process.cmdline())).strip()[:SHOWN]
        return f"process {process.pid}, child of {process.ppid()}, {process.status()}, {memory:.2f} GiB\n{words}\n"


def _kernel(pid: int) -> str:
    """What its threads wait for in the kernel, those that wait alike counted together."""
    waits: Counter[str] = Counter()
    for thread in Path(f"/proc/{pid}/task").glob("*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or the kernel does not tell
            state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
            waits[f"{(thread / 'comm').read_text().strip()} {state} {(thread / 'wchan').read_text()}"] += 1
    return "Threads, their state and what they wait for in the kernel:\n" + "".join(
        f"  {count} × {wait}\n" for wait, count in waits.most_common()
    )


def _users_place(stacks: str) -> str:
    """The innermost frame that is neither Python's, a library's nor the harness's."""
    others = (sysconfig.get_path("stdlib"), str(Path(harness.__file__).parent), "<")
    for match in _FRAME.finditer(stacks):
        file = match["file"]
        if not file.startswith(others) and "site-packages" not in file and "dist-packages" not in file:
            return f"{Path(file).name}:{match['line']} in {match['function']}"
    return ""
