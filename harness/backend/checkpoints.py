"""What the trainer does about checkpoints around verl's saving and resuming: marks, the tracker, old ones.

verl deletes old checkpoints inside a save, before the new one is whole, and knows none of those from before a resume.
So it is told to keep all, and they are deleted here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from harness.records.checkpoints import begin, checkpoint_at, complete, prune, repair


class Checkpoints:
    """The checkpoints of a training; stands in for the callback that verl calls after a save, and calls that one then.

    Args:
        trainer: Its configuration says where they are and how many are kept, and from here on that verl keeps all.
    """

    def __init__(self, trainer: Any) -> None:
        config: DictConfig = trainer.config.trainer
        self.folder = Path(config.default_local_dir).absolute()
        self.keep = _kept(config, trainer.use_critic)
        self.callback = trainer.checkpoint_callback
        self.saved = 0  # the step that this training was last saved at, or resumed from
        with open_dict(config):
            config.max_actor_ckpt_to_keep = config.max_critic_ckpt_to_keep = None
            config.remove_previous_ckpt_in_save = False

    def place(self, step: int) -> Path:
        """The folder of a step's checkpoint."""
        return checkpoint_at(self.folder, step)

    def repair(self) -> None:
        """Have verl resume from the last whole one."""
        for line in repair(self.folder):
            sys.stderr.write(f"harness: {line}\n")

    def begin(self, step: int) -> None:
        """Make room, as verl does: where several are kept, the oldest goes before the next one is written."""
        prune(self.folder, step - 1, {part: most and max(most - 1, 1) for part, most in self.keep.items()})
        begin(self.place(step))

    def on_save(self, trainer: Any, global_step: int, checkpoint_dir: str, **further: Any) -> None:
        """verl has saved all of a checkpoint."""
        complete(Path(checkpoint_dir))
        self.saved = global_step
        prune(self.folder, global_step, self.keep)
        self.callback.on_save(trainer=trainer, global_step=global_step, checkpoint_dir=checkpoint_dir, **further)


def _kept(config: DictConfig, use_critic: bool) -> dict[str, int | None]:
    """Of how many checkpoints each part is kept; None for all, as verl takes whatever is no number above 0."""
    keys = {"actor": "max_actor_ckpt_to_keep"} | ({"critic": "max_critic_ckpt_to_keep"} if use_critic else {})
    single = config.get("remove_previous_ckpt_in_save", False)
    given = {part: 1 if single else config.get(key) for part, key in keys.items()}
    return {part: most if isinstance(most, int) and most > 0 else None for part, most in given.items()}
