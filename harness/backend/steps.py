"""What an algorithm adds to verl's training step; chosen by the node ``algorithm_steps``.

An algorithm that only changes advantages or the loss needs none of this. One with a model of its own, a choice among
prompts or further columns subclasses `AlgorithmSteps` (docs/guides/algorithm.md; `prime` is the example).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transfer_queue import KVBatchMeta


class AlgorithmSteps:
    """Places at which an algorithm can act; each does nothing by itself.

    Its constructor takes the node's parameters. ``trainer`` is the `harness.backend.trainer.HarnessTrainer`, with
    ``config``, ``tokenizer`` and verl's worker groups.
    """

    oversample = 1  # prompts generated for each one that is trained on; more than 1 needs trainer_mode=sync

    def build(self, trainer: Any) -> None:
        """Make worker groups, after verl has made its own and before a checkpoint is loaded."""

    def batch_multiple(self, trainer: Any) -> int:
        """What the number of responses of a step must be a multiple of."""
        return 1

    def choose(self, batch: KVBatchMeta, prompts: int) -> tuple[KVBatchMeta, dict[str, float]]:
        """Keep this many prompts' responses out of ``oversample`` times as many; called where that is above 1.

        Args:
            batch: All finished responses, those of a prompt under keys ``<uid>_<session>_<index>``.
            prompts: How many prompts are wanted.

        Returns:
            The rows that stay, and metrics.
        """
        raise NotImplementedError

    def before_advantages(self, trainer: Any, batch: KVBatchMeta, metrics: dict[str, Any]) -> None:
        """Add columns that the advantage function names; log-probs, reference log-probs and values are there."""

    def save(self, folder: Path, keep: int | None) -> None:
        """Write what `load` needs into a checkpoint's folder. ``keep`` is None: the trainer deletes old ones."""

    def load(self, folder: Path) -> None:
        """Continue from a checkpoint's folder."""
