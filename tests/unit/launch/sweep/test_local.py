"""Runs of a sweep on this machine, started again and stopped; real processes, and a manager that trains nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

STUCK = Path(__file__).with_name("stuck.py")
MANAGER = ("experiment=quickstart_tiny", "manager=custom", "manager.module=stuck", "manager.function=Stuck",
           "+manager.hangs=${seed}", "trusted_modules=[stuck]")  # fmt: skip
ENOUGH_SECONDS = 60.0


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    shutil.copy(STUCK, folder)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4]), "COLUMNS": "300"}
    return subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "train", *words],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def read_statuses(folder: Path) -> dict[str, Any]:
    return {file.parent.name: json.loads(file.read_text()) for file in folder.glob("outputs/*/*/*/status.json")}


def test_runs_that_hang_are_started_again_but_not_for_ever(tmp_path: Path) -> None:
    words = ["seed=1,9", "cluster.requeues=1", "cluster.at_once=2", "cluster.watchdog.minutes=0.05",
             "cluster.watchdog.factor=1", "cluster.watchdog.on_hang=retry"]  # fmt: skip
    sweep = started(tmp_path, "-m", *MANAGER, *words)
    out, err = sweep.communicate()
    assert sweep.returncode == 1, out + err
    statuses = read_statuses(tmp_path)
    assert {name: (status["state"], status["attempt"]) for name, status in statuses.items()} == {
        "seed-1": ("done", 2),
        "seed-9": ("failed", 2),
    }
    error = statuses["seed-9"]["error"]
    assert (error["type"], error["stage"]) == ("Hang", "generating")
    (line,) = [line for line in out.splitlines() if line.startswith("seed=9")]
    assert error["message"] in line, "the sweep's table gives the reason in one line"
    assert error["message"].endswith("; it has been started again once before (cluster.requeues)")
    assert len(list(tmp_path.glob("outputs/*/*/seed-1/stacks/*/*-driver.txt"))) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sweep_stops_its_run_and_tells_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    sweep = started(tmp_path, "-m", *MANAGER, "seed=1,0")
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not list(tmp_path.glob("outputs/*/*/seed-1/starts")):
        assert time.monotonic() < deadline
        assert sweep.poll() is None
        time.sleep(0.05)
    sweep.send_signal(number)
    out, err = sweep.communicate()
    assert sweep.returncode == 130, out + err
    assert {name: status["state"] for name, status in read_statuses(tmp_path).items()} == {
        "seed-1": "cancelled",
        "seed-0": "pending",
    }
    (folder,) = tmp_path.glob("outputs/*/sweep-*")
    shown = folder.relative_to(tmp_path)
    go_on = f"harness train --resume {shown}"
    assert err == f"error: The sweep was stopped; 0 of 2 runs are done.\n  → Go on with: {go_on}\n"
    again = started(tmp_path, "--resume", str(shown))
    out, err = again.communicate()
    assert again.returncode == 0, out + err
    assert {status["state"] for status in read_statuses(tmp_path).values()} == {"done"}
