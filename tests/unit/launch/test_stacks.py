"""The stacks of all processes of a run: those that answer, those that do not, and none is ended by being asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.launch.stacks import take_stacks
from harness.records.stacks import FOLDER

ANSWERS = """
import ctypes, os, threading
ctypes.CDLL(None).prctl(4, 0)  # not dumpable: without root, nobody may trace it
from harness.records.stacks import answer_with_stacks
answer_with_stacks()
if {fork}:
    os.fork()
def wait_for_what_never_comes():  # one line, so that it waits there whatever it has come to
    os.write(1, b"ready\\n"), threading.Event().wait()
wait_for_what_never_comes()
"""


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "answers"
    folder.mkdir()
    monkeypatch.setenv(FOLDER, str(folder))
    return folder


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[subprocess.Popen]]:
    processes: list[subprocess.Popen] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(code: str, folder: Path, ready: int = 1) -> subprocess.Popen:
    """A process that has said that it is ready, and so have those that it forked."""
    file = folder / f"users_{len(list(folder.glob('*.py')))}.py"
    file.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    process = subprocess.Popen([sys.executable, file], stdout=subprocess.PIPE, env=environment)
    assert all(process.stdout.readline() == b"ready\n" for _ in range(ready))
    return process


def text_of(folder: Path, process: subprocess.Popen) -> str:
    (file,) = folder.glob(f"*-{process.pid}-*.txt")
    return file.read_text()


def test_those_that_answer_tell_where_they_wait(answers: Path, started: list, tmp_path: Path) -> None:
    started.append(start(ANSWERS.format(fork=False), tmp_path))
    for time in ("first", "second"):
        place = take_stacks(tmp_path / time)
        text = text_of(tmp_path / time, started[0])
        assert text.count("in wait_for_what_never_comes") == 1
        assert place == "users_0.py:9 in wait_for_what_never_comes"
    assert "take_stacks" in next((tmp_path / "first").glob("*-driver.txt")).read_text()
    assert started[0].poll() is None


def test_a_forked_process_answers_for_itself(answers: Path, started: list, tmp_path: Path) -> None:
    started.append(start(ANSWERS.format(fork=True), tmp_path, ready=2))
    take_stacks(tmp_path / "stacks")
    assert text_of(tmp_path / "stacks", started[0]).count("in wait_for_what_never_comes") == 1
    names = {int(file.name) for file in answers.iterdir()}
    (forked,) = names - {started[0].pid}
    (file,) = (tmp_path / "stacks").glob(f"*-{forked}-*.txt")
    try:
        assert file.read_text().count("in wait_for_what_never_comes") == 1
    finally:
        os.kill(forked, 9)


def test_those_that_do_not_answer_live_on(answers: Path, started: list, tmp_path: Path) -> None:
    silent = "import time\nprint('ready', flush=True)\nwhile True: time.sleep(0.1)\n"
    started += [start(silent, tmp_path), subprocess.Popen(["sleep", "600"])]
    for process in started:
        (answers / str(process.pid)).touch()  # as if they had once promised
    take_stacks(tmp_path / "stacks")
    assert "hrtimer_nanosleep" in text_of(tmp_path / "stacks", started[1]) or "sleep S" in text_of(
        tmp_path / "stacks", started[1]
    )
    assert all(process.poll() is None for process in started)


def test_no_secret_of_a_command_line(answers: Path, started: list, tmp_path: Path) -> None:
    started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "--token", "s3cr3t"]))
    take_stacks(tmp_path / "stacks")
    assert "s3cr3t" not in text_of(tmp_path / "stacks", started[0])
