"""Trainings that hang in a user's code: named, ended, and started again where that is wanted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from runs import SHORT, Finished

from harness.records.run_folder import RunFolder
from harness.records.signs import RUN
from harness.records.stages import read_stages

pytestmark = pytest.mark.alone
HANGS = """
import os, threading
from pathlib import Path


def score(input_text, response_text, **kwargs):
    run = Path(os.environ["HARNESS_RUN"])
    metrics = run / "metrics.jsonl"
    if metrics.exists() and not (run / "met").exists():  # step 1 is done
        {mark}
        wait_for_an_answer()
    return float(len(response_text))


def wait_for_an_answer():
    threading.Event().wait()
"""
QUICK = ("trainer.test_freq=-1", "trainer.val_before_train=false", "trainer.save_freq=1", "scoring.timeout_seconds=3000",
         "reward_fn.reasoning_gym._target_=my_judge.score", "trusted_modules=[my_judge]")  # fmt: skip
LINE = HANGS.splitlines().index("    threading.Event().wait()") + 1


def nothing_is_left_of(run: RunFolder, within: float = 60.0) -> bool:
    """Whether its processes, which know its folder, end; others' trainings on this machine do not count."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        left = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                left += [process] if process.environ().get(RUN) == str(run.path.resolve()) else []
        if not left:
            return True
        time.sleep(0.5)
    return False


def test_a_hang_has_a_name(tmp_path: Path, harness: Callable[..., Finished]) -> None:
    begun = time.monotonic()
    (tmp_path / "my_judge.py").write_text(HANGS.format(mark="pass"))
    finished = harness(
        "train", *SHORT, *QUICK, "cluster.watchdog.minutes=1", "cluster.watchdog.factor=1", folder=tmp_path
    )
    assert finished.code == 1, finished.err
    assert time.monotonic() - begun < 240, "a minute after the first step, and what starting and ending take"
    error = finished.status.error
    assert (finished.status.state, error.type, error.stage) == ("failed", "Hang", "generating")
    said = rf"generating \(step 2\) has not progressed for 1 min 0\d s; the limit is 1 min 00 s; it waits at my_judge.py:{LINE} in"
    assert re.match(said, error.message), error.message
    assert error.message in finished.err
    (stacks,) = finished.run.stacks.iterdir()
    texts = {file.name: file.read_text() for file in stacks.iterdir()}
    (scoring,) = [text for name, text in texts.items() if f"line {LINE} in wait_for_an_answer" in text]
    assert 'my_judge.py", line' in scoring
    for part in ("driver", "TaskRunner", "RewardLoopWorker", "WorkerDict", "BuiltinServer", "raylet"):
        assert [name for name in texts if part in name], f"{part} is not among {sorted(texts)}"
    for name in ("TaskRunner", "WorkerDict", "RewardLoopWorker", "BuiltinServer"):
        (text,) = [text for file, text in texts.items() if name in file]
        assert "most recent call first" in text, name
        assert "/verl/" in text or "/harness/" in text or "/ray/" in text
    assert nothing_is_left_of(finished.run)


def test_one_that_hangs_once_is_done_in_the_end(tmp_path: Path, harness: Callable[..., Finished]) -> None:
    (tmp_path / "my_judge.py").write_text(HANGS.format(mark='(run / "met").touch()'))
    retry = ("cluster.watchdog.minutes=1", "cluster.watchdog.on_hang=retry")
    finished = harness("train", *SHORT, *QUICK, *retry, folder=tmp_path)
    assert finished.code == 0, finished.err
    assert (finished.status.state, finished.status.attempt, finished.status.step) == ("done", 2, 2)
    assert finished.status.error is None
    assert "generating (step 2) has not progressed" in finished.err
    assert [record.step for record in finished.records] == [1, 2]
    assert "resuming from step 1 of 2" in [entry.stage for entry in read_stages(finished.run.stages)]
    assert nothing_is_left_of(finished.run)
