"""The examples of docs/guides through a real training, all that can go together in one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from guides import patched_copy, write_files

if TYPE_CHECKING:
    from runs import Finished


def test_the_guides_examples_train(train: Callable[..., Finished], tmp_path: Path) -> None:
    for page in ("reward", "reward_manager", "advantage", "policy_loss", "algorithm", "component_type"):
        write_files(page, tmp_path)
    copy = patched_copy("component_type", tmp_path / "checkout")
    finished = train(
        "plugins=[my_rewards,my_managers,my_advantages,my_losses,my_algorithm,my_metrics]",
        "algorithm=half_solved",
        "reward_fn=[reasoning_gym,brevity]",
        "reward_manager=doubtful",
        "advantage_fn=ranked",
        "policy_loss=soft_clip",
        "batch_metrics=variety",
        folder=tmp_path,
        root=copy,
    )
    for record in finished.records[1:]:
        assert record.metrics["actor/ratio"] > 0
        assert record.metrics["reward_fn/brevity"] > 0
        assert record.metrics["reward/doubts"] >= 0
        assert 0 < record.metrics["batch/variety"] <= 1
        assert 0 <= record.metrics["half_solved/accuracy_of_all"] <= 1
    assert max(record.metrics["actor/grad_norm"] for record in finished.records[1:]) > 0
