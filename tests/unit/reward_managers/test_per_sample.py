"""The weighted sum of reward functions, and what is refused as a score."""

from __future__ import annotations

import math

import pytest

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


@pytest.mark.parametrize("value", ["1.0", None, math.nan, math.inf, {"acc": 1.0}, [1.0]])
def test_what_is_no_finite_number_is_refused_by_name(value) -> None:
    with pytest.raises(ComponentError, match=r"reward_fn\.broken"):
        PerSampleRewardManager([WeightedFunction("broken", returning(value))]).score(SAMPLE)


def test_no_function_at_all_is_refused() -> None:
    with pytest.raises(ComponentError, match="no reward function is chosen"):
        PerSampleRewardManager([])
