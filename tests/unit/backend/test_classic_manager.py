"""A reward manager of verl's older kind around a batch: what it sees, and what is refused of what it returns."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from harness.backend.classic_manager import ClassicRewardManager
from harness.errors import ComponentError
from harness.reward_managers.per_sample import WeightedFunction
from harness.reward_managers.sample import RewardResult, RewardSample


def sample(prompt: str, response: str, ids: tuple[int, ...], **columns: object) -> RewardSample:
    columns = {"reward_model": {"ground_truth": response, "style": "rule"}, "uid": "u", **columns}
    return RewardSample(prompt, response, "source", response, {"index": 1}, len(ids),
                        ({"role": "user", "content": prompt},), "u", (7, 8), ids, columns)  # fmt: skip


SAMPLES = [sample("one", "a", (5,), level="easy", tags=["x"]), sample("two", "b", (5, 6, 7), level="hard", tags=[])]


class Tokenizer:
    pad_token_id = 0


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[RewardResult]]:
    """Scores `SAMPLES` with a manager whose ``__call__(self, data)`` is given."""
    monkeypatch.setattr("verl.utils.tokenizer.hf_tokenizer", lambda path: Tokenizer())

    def score(call: Callable, **functions: Callable) -> list[RewardResult]:
        class Manager:
            def __init__(self, tokenizer, num_examine, config, compute_score=None):
                self.compute_score = compute_score

            __call__ = call

        chosen = functions or {"one": lambda input_text, response_text, **_: 1.0}
        config = {"actor_rollout_ref": {"model": {"path": "somewhere", "tokenizer_path": None}}}
        weighted = [WeightedFunction(name, function) for name, function in chosen.items()]
        return ClassicRewardManager(Manager, {}, config, weighted).score_batch(SAMPLES)

    return score


def at_the_end(data, scores: list[float]) -> torch.Tensor:
    rewards = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
    for row, score in enumerate(scores):
        rewards[row, data.batch["response_mask"][row].sum() - 1] = score
    return rewards


def test_it_sees_every_column_of_the_data(scored: Callable) -> None:
    seen = {}

    def call(self, data):
        seen.update({name: values.tolist() for name, values in data.non_tensor_batch.items()})
        return at_the_end(data, [0.0, 1.0])

    assert [result.score for result in scored(call)] == [0.0, 1.0]
    assert seen["level"] == ["easy", "hard"]
    assert seen["tags"] == [["x"], []]
    assert seen["reward_model"][0] == {"ground_truth": "a", "style": "rule"}
    assert seen["raw_prompt"][1] == [{"role": "user", "content": "two"}]
    assert seen["data_source"] == ["source", "source"]


def test_the_functions_get_the_prompt_by_either_signature(scored: Callable) -> None:
    def call(self, data):
        by_ours = self.compute_score(input_text="one", response_text="a")
        by_verls = self.compute_score(data_source="source", solution_str="b", ground_truth="b", extra_info=None)
        return at_the_end(data, [by_ours, by_verls])

    def of_the_prompt(input_text, response_text, **kwargs):
        return {"one": 0.25, "two": 0.75}[input_text] + float(kwargs["ground_truth"] == response_text)

    assert [result.score for result in scored(call, f=of_the_prompt)] == [1.25, 1.75]


def test_a_reward_behind_the_response_is_refused(scored: Callable) -> None:
    def call(self, data):
        rewards = torch.zeros(2, 3)
        rewards[:, -1] = 1.0
        return rewards

    with pytest.raises(ComponentError, match=r"a reward at position 2 of row 0, whose response has 1 tokens.*\n.*mask"):
        scored(call)


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        ([1.0, 0.0], "returned list, not a tensor"),
        (torch.zeros(2), r"a tensor of shape \(2,\); the responses' is \(2, 3\)"),
        (torch.full((2, 3), float("nan")), "NaN or infinite rewards"),
        ({"reward_extra_info": {}}, "returned NoneType, not a tensor"),
    ],
)
def test_what_is_no_reward_is_refused(scored: Callable, returned: object, words: str) -> None:
    with pytest.raises(ComponentError, match=words):
        scored(lambda self, data: returned)


def test_whole_numbers_are_rewards(scored: Callable) -> None:
    results = scored(lambda self, data: at_the_end(data, [1.0, 0.0]).long())
    assert [result.score for result in results] == [1.0, 0.0]
    assert results[1].token_rewards == (0.0, 0.0, 0.0)


def test_notes_stay_with_their_rows(scored: Callable) -> None:
    def call(self, data):
        return {"reward_tensor": at_the_end(data, [0.5, 1.0]), "reward_extra_info": {"acc": [0.0, 1.0], "n": [3]}}

    first, second = scored(call)
    assert (first.extra, second.extra) == ({"acc": 0.0}, {"acc": 1.0})
