"""The weighted sum of reward functions, and what is refused as a score."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.errors import ComponentError
from harness.reward_managers.per_sample import PerSampleRewardManager, WeightedFunction
from harness.reward_managers.sample import RewardSample

SAMPLE = RewardSample("What is 1+1?", "2", "sums", "2", {"index": 3})


def returning(value):
    return lambda input_text, response_text, **kwargs: value


def test_scores_are_weighted_and_kept_apart() -> None:
    manager = PerSampleRewardManager(
        [
            WeightedFunction("answer", returning({"score": 1.0, "acc": True, "depth": 4}), 2.0),
            WeightedFunction("form", returning(0.5), 0.5),
        ]
    )
    result = manager.score(SAMPLE)
    assert result.score == 2.25
    assert result.extra == {"acc": True, "depth": 4, "reward_fn/answer": 1.0, "reward_fn/form": 0.5}


def test_a_function_sees_texts_and_columns() -> None:
    def function(input_text, response_text, *, data_source, ground_truth, extra_info):
        return float(
            (input_text, response_text, data_source, ground_truth, extra_info)
            == ("What is 1+1?", "2", "sums", "2", {"index": 3})
        )

    assert PerSampleRewardManager([WeightedFunction("f", function)]).score(SAMPLE).score == 1.0


@pytest.mark.parametrize(
    "value",
    ["1.0", None, math.nan, math.inf, {"acc": 1.0}, [1.0], np.ones(2), torch.ones(2), torch.ones(0), {"score": None}],
)
def test_what_is_no_finite_number_is_refused_by_name(value) -> None:
    with pytest.raises(ComponentError, match=r"reward_fn\.broken"):
        PerSampleRewardManager([WeightedFunction("broken", returning(value))]).score(SAMPLE)


def test_an_array_is_told_by_its_shape() -> None:
    with pytest.raises(ComponentError, match=r"reward_fn\.broken returned Tensor of shape \(2,\), not a number"):
        PerSampleRewardManager([WeightedFunction("broken", returning(torch.ones(2)))]).score(SAMPLE)


@pytest.mark.parametrize("value", [np.float32(0.5), np.array([0.5]), torch.tensor(0.5), torch.tensor([[0.5]])])
def test_one_number_in_whatever_it_comes(value) -> None:
    result = PerSampleRewardManager([WeightedFunction("f", returning({"score": value, "acc": value}))]).score(SAMPLE)
    assert (result.score, result.extra["acc"]) == (0.5, 0.5)


@pytest.mark.parametrize("acc", [math.nan, "yes", 7, -0.5, None, [1.0]])
def test_an_accuracy_is_a_number_from_0_to_1(acc) -> None:
    with pytest.raises(ComponentError, match=r"reward_fn\.broken returned acc = "):
        PerSampleRewardManager([WeightedFunction("broken", returning({"score": 7.0, "acc": acc}))]).score(SAMPLE)


def test_no_function_at_all_is_refused() -> None:
    with pytest.raises(ComponentError, match="no reward function is chosen"):
        PerSampleRewardManager([])
