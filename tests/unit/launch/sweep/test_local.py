"""Runs of a sweep on this machine that are started again; real processes, and a manager that trains nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

STUCK = Path(__file__).with_name("stuck.py")


def test_runs_that_hang_are_started_again_but_not_for_ever(tmp_path: Path) -> None:
    shutil.copy(STUCK, tmp_path)
    words = ["experiment=quickstart_tiny", "manager=custom", "manager.module=stuck", "manager.function=Stuck",
             "+manager.hangs=${seed}", "seed=1,9", "trusted_modules=[stuck]", "cluster.requeues=1", "cluster.at_once=2",
             "cluster.watchdog.minutes=0.05", "cluster.watchdog.factor=1", "cluster.watchdog.on_hang=retry"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4]), "COLUMNS": "300"}
    ended = subprocess.run(
        [sys.executable, "-m", "harness.cli", "train", "-m", *words],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stdout + ended.stderr
    statuses = {file.parent.name: json.loads(file.read_text()) for file in tmp_path.glob("outputs/*/*/*/status.json")}
    assert {name: (status["state"], status["attempt"]) for name, status in statuses.items()} == {
        "seed-1": ("done", 2),
        "seed-9": ("failed", 2),
    }
    error = statuses["seed-9"]["error"]
    assert (error["type"], error["stage"]) == ("Hang", "generating")
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("seed=9")]
    assert error["message"] in line, "the sweep's table gives the reason in one line"
    assert error["message"].endswith("; it has been started again once before (cluster.requeues)")
    assert len(list(tmp_path.glob("outputs/*/*/seed-1/stacks/*/*-driver.txt"))) == 1
