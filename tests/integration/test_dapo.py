"""DAPO through verl on the CPU: dynamic sampling that is repeatable and ends, shaping, overlong filtering."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from runs import SHORT, Finished

Run = Callable[..., Finished]
DAPO = ("algorithm=dapo", "actor_rollout_ref.rollout.n=4", "trainer.test_freq=-1", "trainer.val_before_train=false")
ALWAYS = """
def always(input_text, response_text, **kwargs):
    return 1.0
"""


@pytest.fixture(scope="module")
def dapo(train: Run) -> Finished:
    """With filtering, at a limit that many responses meet."""
    return train(*DAPO, "overlong_filtering=true", "data.max_response_length=4", "actor_rollout_ref.rollout.n=2")


def test_groups_without_a_signal_are_replaced(dapo: Finished) -> None:
    metrics = [record.metrics for record in dapo.records if record.step]
    evicted = [name for step in metrics for name in step if name.endswith("filter_groups/evicted_samples")]
    assert evicted, sorted(metrics[0])
    # what is trained on differs inside every group: no advantage of a whole group is zero
    assert all(step["critic/advantages/max"] > 0 > step["critic/advantages/min"] for step in metrics)


def test_truncated_responses_are_left_out_of_the_loss(dapo: Finished) -> None:
    metrics = [record.metrics for record in dapo.records if record.step]
    for step in metrics:
        assert 0 < step["overlong/left_out"] <= 1
        assert step["response_length/clip_ratio"] > 0  # the record still counts them
        # where every response was cut off there is nothing to learn from, and no NaN
        assert (step["actor/grad_norm"] > 0) is (step["overlong/left_out"] < 1)
    assert min(step["overlong/left_out"] for step in metrics) < 1


def test_the_same_seed_refills_in_the_same_order(dapo: Finished, train: Run) -> None:
    again = train(*DAPO, "overlong_filtering=true", "data.max_response_length=4", "actor_rollout_ref.rollout.n=2")

    def values(run: Finished) -> list[dict]:
        return [
            {k: v for k, v in record.metrics.items() if not any(mark in k for mark in ("timing", "perf/", "mfu"))}
            for record in run.records
        ]

    assert values(again) == values(dapo)


def test_data_without_a_signal_ends_the_run(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "always_right.py").write_text(ALWAYS)
    finished = harness(
        "train",
        *SHORT,
        *DAPO,
        "algorithm.filter_groups.max_num_gen_batches=2",
        "reward_fn.reasoning_gym._target_=always_right.always",
        "trusted_modules=[always_right]",
        folder=tmp_path,
    )
    assert finished.code == 1
    assert finished.status.state == "failed"
    assert "algorithm.filter_groups: 16 prompts were generated for step 1" in finished.err
    assert "max_num_gen_batches" in finished.err
    assert "16 with acc 1" in finished.err
