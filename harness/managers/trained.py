"""A model that a training has made: a checkpoint, and the same for `transformers`."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.errors import ConfigurationError, HarnessError
from harness.records.checkpoints import checkpoint_at, whole_steps
from harness.records.run_folder import RunFolder

LAST_STEP_ALONE = 1_000_000_000  # as trainer.save_freq: verl saves every so many steps, and at the last one in any case
CHECKPOINT = "global_step_"


class TrainedModel:
    """The model of a run that has ended, well or not, or of one of its checkpoints.

    Args:
        of: The run, or the ``global_step_N`` folder.

    Raises:
        HarnessError: From each attribute: no checkpoint is whole, or it cannot be exported.
    """

    def __init__(self, of: RunFolder | Path) -> None:
        self.of = of

    @property
    def checkpoint(self) -> Path:
        """The ``global_step_N`` folder that the run would go on from."""
        if isinstance(self.of, Path):
            return self.of
        step = self.of.last_checkpoint()
        if step is None:
            raise HarnessError(
                f"{self.of.shown()} has no whole checkpoint, so there is no trained model.",
                "Train with save_interval=N (trainer.save_freq), or leave it out to keep the last step.",
            )
        return checkpoint_at(self.of.checkpoints, step)

    @cached_property
    def folder(self) -> Path:
        """A Hugging Face folder of it, which goes with this object; beside the checkpoints, where there is room."""
        beside = self.checkpoint.parent
        self._place = TemporaryDirectory(prefix=".model-", dir=beside if os.access(beside, os.W_OK) else None)
        return self.export(Path(self._place.name) / "model")

    def export(self, path: Path) -> Path:
        """Write it as a Hugging Face folder."""
        from harness.backend.export import export_checkpoint

        return export_checkpoint(self.checkpoint, path)


def checkpoint_in(path: Path) -> Path:
    """The checkpoint that a path names: a ``global_step_N`` folder, or a run, whose last whole one counts.

    Raises:
        ConfigurationError: It is neither, or the checkpoint is not whole.
    """
    path = path.resolve()
    if path.name.startswith(CHECKPOINT) and path.is_dir():
        step = path.name.removeprefix(CHECKPOINT)
        if not step.isdecimal() or int(step) not in whole_steps(path.parent):
            raise ConfigurationError(f"{path} is no whole checkpoint: its save was cut short, or a part is gone.")
        return path
    run = RunFolder(path)
    if not run.config.is_file():
        raise ConfigurationError(
            f"{path} is no model: neither a Hugging Face folder, which has a config.json, nor a checkpoint "
            f"({CHECKPOINT}N), nor a run that has kept one.",
            "Give the folder that manager.save wrote, a run, or a checkpoint of it.",
        )
    return TrainedModel(run).checkpoint
