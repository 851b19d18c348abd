"""Runs of a sweep on this machine that are started again; real processes, and a manager that trains nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TRAINS_NOTHING = '''
import time
from pathlib import Path

from harness.launch.supervise import supervise
from harness.launch.watchdog import Settings
from harness.managers.base import BaseTrainingManager


class Stuck(BaseTrainingManager):
    """Hangs at its first starts."""

    def __init__(self, config, overrides, hangs):
        super().__init__(config)
        self.hangs = hangs

    def resume(self, run, stops):
        def work(poll, announce):
            announce("generating")
            with (run.path / "starts").open("a+") as file:
                file.write("start\\n")
                file.seek(0)
                starts = len(file.readlines())
            while starts <= self.hangs:
                poll()
                time.sleep(0.05)

        return supervise(run, work, 1, stops=stops, watchdog=Settings.of(self.config.cluster))

    def train(self, data_path=None, output_dir=None, **settings): ...

    def evaluate(self, checkpoint=None, **settings): ...

    def save(self, path): ...

    def load(self, path): ...
'''


@pytest.mark.parametrize(
    ("hangs", "requeues", "state", "starts"), [(1, 5, "done", 2), (9, 2, "failed", 3)], ids=["once", "always"]
)
def test_a_run_that_hangs_is_started_again_so_often(
    tmp_path: Path, hangs: int, requeues: int, state: str, starts: int
) -> None:
    (tmp_path / "stuck.py").write_text(TRAINS_NOTHING)
    words = ["experiment=quickstart_tiny", "manager=custom", "manager.module=stuck", "manager.function=Stuck",
             f"+manager.hangs={hangs}", "trusted_modules=[stuck]", f"cluster.requeues={requeues}",
             "cluster.watchdog.minutes=0.01", "cluster.watchdog.on_hang=retry"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[4]), "COLUMNS": "300"}
    command = [sys.executable, "-m", "harness.cli"]
    ended = subprocess.run(
        [*command, "train", "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == (0 if state == "done" else 1), ended.stdout + ended.stderr
    (folder,) = tmp_path.glob("outputs/*/*/*/status.json")
    status = json.loads(folder.read_text())
    assert (status["state"], status["attempt"]) == (state, starts)
    assert (folder.parent / "starts").read_text().count("start") == starts
    assert len(list((folder.parent / "stacks").iterdir())) >= 1
    if state == "failed":
        assert status["error"]["type"] == "Hang"
        assert status["error"]["message"].endswith("; it has been started again 2 times before (cluster.requeues)")
        shown = subprocess.run(
            [*command, "sweep", "status", folder.parent.parent],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "generating has not progressed for 0." in shown.stdout
        assert "failed" in shown.stdout
