"""Trainings that take no time, as a user's own manager: the whole way of a sweep but Ray."""

from __future__ import annotations

from pathlib import Path

# the module of a project; 4e-5 is the best rate, and above 9e-5 a training fails
MANAGER = """
import os

from harness.errors import TrainingError
from harness.managers.base import BaseTrainingManager
from harness.records.metrics import MetricsWriter
from harness.records.status import RunError, StatusWriter


class Cheap(BaseTrainingManager):
    def __init__(self, config, overrides=()):
        super().__init__(config)

    def train(self, data_path=None, output_dir=None, **settings): ...
    def evaluate(self, checkpoint=None, **settings): ...
    def save(self, path): ...
    def load(self, path): ...

    def resume(self, run, stops=None):
        status, rate = StatusWriter(run), self.config.actor_rollout_ref.actor.optim.lr
        status.running(2)
        if rate > 9e-5:
            status.failed(RunError("ValueError", f"{rate} is too much"))
            raise TrainingError(f"{rate} is too much")
        writer, score = MetricsWriter(run.metrics), 1 - abs(rate - 4e-5) * 1e4
        if rate < 2e-6:
            score = float("nan")
        writer.write(1, {"val-core/task/acc/mean@1": score, "response_length/mean": rate * 1e6})
        writer.write(2, {"val-core/task/acc/mean@1": score - 0.5, "response_length/mean": rate * 1e6})
        status.done()
"""
CHEAP = ("experiment=quickstart_tiny", "trusted_modules=[cheap]", "manager._target_=cheap.Cheap")
RATE = "actor_rollout_ref.actor.optim.lr"


def project(folder: Path) -> Path:
    """A folder with the manager."""
    (folder / "cheap.py").write_text(MANAGER)
    return folder
