"""Rewards of the user's own through verl: registered, failing, by token, by step and over whole batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from runs import SHORT, Finished

from harness.records.generations import read_generations

Run = Callable[..., Finished]
QUICK = ("trainer.test_freq=-1", "trainer.val_before_train=false")
PARTS = '''
import torch

from harness import register_reward_function, register_reward_manager
from harness.reward_managers.per_sample import PerSampleRewardManager
from harness.reward_managers.sample import RewardResult, Segment


@register_reward_function("flaky")
def flaky(input_text, response_text, divisor=3, **kwargs):
    """Cannot score the responses to a third of the prompts."""
    if sum(map(ord, input_text)) % divisor == 0:
        raise ValueError(f"no score for a prompt of {len(input_text)} characters")
    return float(len(response_text))


@register_reward_manager("classic")
class Classic:
    """verl's older interface: a batch in, token-level rewards out."""

    def __init__(self, tokenizer, num_examine, config, compute_score=None, per_token=0.25):
        self.tokenizer, self.compute_score, self.per_token = tokenizer, compute_score, per_token
        assert config.data.train_batch_size == 8

    def __call__(self, data):
        rewards = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
        for row in range(len(data)):
            item = data[row]
            width = item.batch["prompts"].shape[-1]
            length = int(item.batch["attention_mask"][width:].sum())
            text = self.tokenizer.decode(item.batch["responses"][:length], skip_special_tokens=True)
            rewards[row, :length] = self.per_token
            rewards[row, length - 1] += self.compute_score(
                data_source=item.non_tensor_batch["data_source"],
                solution_str=text,
                ground_truth=item.non_tensor_batch["reward_model"]["ground_truth"],
                extra_info=item.non_tensor_batch["extra_info"],
            )
        return rewards


@register_reward_manager("by_step")
class ByStep(PerSampleRewardManager):
    """Each character but the last is a step worth 0.5."""

    def score(self, sample):
        result = super().score(sample)
        steps = [Segment(place, place + 1, 0.5) for place in range(len(sample.response_text) - 1)]
        return RewardResult(result.score, result.extra, segments=tuple(steps))
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "my_parts.py").write_text(PARTS)
    return tmp_path


def steps(finished: Finished) -> list[dict]:
    return [record.metrics for record in finished.records if record.step]


def test_groups_that_cannot_be_scored_are_dropped_counted_and_named(train: Run, project: Path) -> None:
    finished = train(
        "plugins=[my_parts]",
        "reward_fn=[reasoning_gym,flaky]",
        "reward_fn.flaky.weight=0.01",
        "scoring.on_error=drop",
        folder=project,
    )
    failed = [step["scoring/failed_sum"] for step in steps(finished)]
    assert sum(failed) > 0
    assert all(count % 4 == 0 for count in failed)  # all responses to a prompt
    assert "ValueError in reward_fn.flaky: no score for a prompt of" in finished.log()
    for step in steps(finished):
        assert step["reward_fn/flaky"] > 0
        assert step["reward_fn/reasoning_gym"] >= 0
    samples = read_generations(finished.run.generations, 2)
    assert {sample.extra["scoring_failed"] for sample in samples} == {0.0, 1.0}
    assert all(sample.score == 0 for sample in samples if sample.extra["scoring_failed"])


def test_a_manager_of_verls_older_kind_gives_token_level_rewards(train: Run, project: Path) -> None:
    finished = train("plugins=[my_parts]", "reward_manager=classic", folder=project)
    for step in steps(finished):
        assert step["critic/score/mean"] == pytest.approx(step["reward/acc"], abs=1e-5)
        assert step["critic/score/min"] >= 0.25 * step["response_length/min"] - 1e-5
    for sample in read_generations(finished.run.generations, 2):
        assert sample.score >= 0.25


def test_it_cannot_work_with_dynamic_sampling(harness: Run, project: Path) -> None:
    words = ("plugins=[my_parts]", "reward_manager=classic", "algorithm.filter_groups.enable=true")
    finished = harness("check", *SHORT, *words, folder=project)
    assert finished.code == 2
    assert "reward_manager scores a whole batch, and algorithm.filter_groups needs the scores before" in finished.out


def test_steps_are_rewarded_also_in_an_asynchronous_mode(train: Run, project: Path) -> None:
    finished = train(
        "plugins=[my_parts]", "reward_manager=by_step", "trainer.v1.trainer_mode=colocate_async", *QUICK, folder=project
    )
    for step in steps(finished):
        # half a point a character but the last, one token each, and the end token is none
        assert step["critic/score/mean"] > 0.5
        assert "reward/acc" in step
