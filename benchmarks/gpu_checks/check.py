"""What every part of a check is told: how to train, for how long, and what the parts before it have shown."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from processes import Deadline

HARNESS = [sys.executable, "-m", "harness.cli"]
WARM_UP_STEPS = 2  # the first steps compile and allocate
LEAST_STEPS = 4  # one that is saved, one that is lost, and what is left


@dataclass(frozen=True)
class Check:
    """One call of the check.

    Args:
        words: ``experiment=NAME`` and the user's own overrides, which win over the parts' own.
        device: ``cuda``, or ``cpu`` for what can be tried there.
        deadline: When all parts have to be done.
        gpus: What the part `several` trains on; on a CPU its workers.
        steps: Of a training, at least `LEAST_STEPS`.
        rise: Of the held-out accuracy, as a share of 1, that a training has to show.
        parts: Name of a part → what it has shown.
    """

    words: tuple[str, ...]
    device: str
    deadline: Deadline
    gpus: int = 1
    steps: int = 24
    rise: float = 0.2
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def save_every(self) -> int:
        """Steps from one checkpoint and validation to the next."""
        return self.steps // 3

    @property
    def kill_after(self) -> int:
        """The step after which `learn` is killed: one that has no checkpoint, so that steps are lost."""
        return self.save_every + max(1, self.save_every // 4)

    def training(self, steps: int, *further: str, rollout: str = "builtin", gpus: int = 1) -> list[str]:
        """The overrides of a training."""
        return [
            *(f"trainer.total_training_steps={steps}", f"trainer.test_freq={self.save_every}", f"rollout={rollout}"),
            *("cluster.nodes=1", f"cluster.gpus_per_node={gpus}"),
            *further,
            *self.words,
            *("name=gpu_check", "output_root=outputs"),
        ]
