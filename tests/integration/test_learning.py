"""The five algorithms named first learn: twenty real steps each, held-out accuracy before and after."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runs import Finished

Train = Callable[..., Finished]
NEEDS = {"prime": ["algorithm_steps.optim.lr=1e-3"]}  # a process reward model as small as the policy


@pytest.mark.parametrize("algorithm", ["ppo", "grpo", "dr_grpo", "dapo", "prime"])
def test_held_out_accuracy_rises(harness: Train, algorithm: str) -> None:
    finished = harness(
        "train",
        "experiment=quickstart_tiny",
        f"algorithm={algorithm}",
        "trainer.total_training_steps=20",
        "trainer.test_freq=20",
        *NEEDS.get(algorithm, []),
    )
    assert finished.code == 0, finished.err
    accuracies = [
        value for record in finished.records for name, value in record.metrics.items() if name.startswith("val-core/")
    ]
    assert len(accuracies) == 2
    assert accuracies[1] >= accuracies[0] + 0.15
    assert len([record for record in finished.records if "actor/pg_loss" in record.metrics]) == 20
