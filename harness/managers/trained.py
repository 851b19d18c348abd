"""The model that a training has made: its last checkpoint, and the same for `transformers`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.errors import HarnessError
from harness.records.checkpoints import checkpoint_at
from harness.records.run_folder import RunFolder

LAST_STEP_ALONE = 1_000_000_000  # as trainer.save_freq: verl saves every so many steps, and at the last one in any case


class TrainedModel:
    """The model of a run that has ended, well or not.

    Args:
        run: The run.

    Raises:
        HarnessError: From each attribute: no checkpoint is whole, or it cannot be exported.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    @property
    def checkpoint(self) -> Path:
        """The ``global_step_N`` folder that the run would go on from."""
        step = self.run.last_checkpoint()
        if step is None:
            raise HarnessError(
                f"{self.run.shown()} has no whole checkpoint, so there is no trained model.",
                "Train with save_interval=N (trainer.save_freq), or leave it out to keep the last step.",
            )
        return checkpoint_at(self.run.checkpoints, step)

    @cached_property
    def folder(self) -> Path:
        """A Hugging Face folder of it, which goes with this object; beside the checkpoints, where there is room."""
        self._place = TemporaryDirectory(prefix=".model-", dir=self.checkpoint.parent)
        return self.export(Path(self._place.name) / "model")

    def export(self, path: Path) -> Path:
        """Write it as a Hugging Face folder."""
        from harness.backend.export import export_checkpoint

        return export_checkpoint(self.checkpoint, path)
