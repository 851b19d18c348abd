"""The examples of docs/guides through a real training, all that can go together in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from guides import write_files

if TYPE_CHECKING:
    from runs import Finished


def test_the_guides_examples_train(train: Callable[..., Finished], tmp_path: Path) -> None:
    for page in ("reward", "reward_manager", "advantage", "policy_loss", "algorithm"):
        write_files(page, tmp_path)
    finished = train(
        "plugins=[my_rewards,my_managers,my_advantages,my_losses,my_algorithm]",
        "algorithm=half_solved",
        "reward_fn=[reasoning_gym,brevity]",
        "reward_manager=doubtful",
        "advantage_fn=ranked",
        "policy_loss=soft_clip",
        folder=tmp_path,
    )
    for record in finished.records[1:]:
        assert record.metrics["actor/ratio"] > 0
        assert record.metrics["reward_fn/brevity"] > 0
        assert record.metrics["reward/doubts"] >= 0
        assert 0 <= record.metrics["half_solved/accuracy_of_all"] <= 1
    assert max(record.metrics["actor/grad_norm"] for record in finished.records[1:]) > 0
