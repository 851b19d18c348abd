"""Algorithms whose inputs verl's V1 trainer does not feed, through real trainings."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from runs import Finished

Train = Callable[..., Finished]
QUICK = ("trainer.test_freq=-1", "trainer.val_before_train=false")


def steps(finished: Finished) -> list[dict]:
    return [record.metrics for record in finished.records if record.step]


@pytest.mark.parametrize("mode", ["sync", "colocate_async"])  # our batches and verl's agent loop
def test_remax_has_the_score_of_a_greedy_response(train: Train, mode: str) -> None:
    finished = train("algorithm=remax", "actor_rollout_ref.rollout.n=4", f"trainer.v1.trainer_mode={mode}", *QUICK)
    assert finished.code == 0, finished.err
    assert max(metrics["actor/grad_norm"] for metrics in steps(finished)) > 0
    for metrics in steps(finished):
        # scores and baselines are 0 or 1, so an advantage is −1, 0 or 1; a mean baseline would give others
        assert metrics["critic/advantages/max"] in (0.0, 1.0)
        assert metrics["critic/advantages/min"] in (0.0, -1.0)


def test_gdpo_with_two_rewards_and_gmpo_in_micro_batches(train: Train) -> None:
    finished = train(
        "algorithm=gdpo",
        "policy_loss=gmpo",
        "reward_fn=[reasoning_gym,exact_match]",
        "reward_fn.exact_match.weight=0.5",
        "reward_fn.exact_match.extract=whole",
        *QUICK,
    )
    assert max(metrics["actor/grad_norm"] for metrics in steps(finished)) > 0
    for metrics in steps(finished):
        assert abs(metrics["critic/advantages/mean"]) < 0.5  # whitened over tokens
        assert metrics["critic/advantages/max"] >= 0 >= metrics["critic/advantages/min"]
