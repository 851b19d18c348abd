"""A reward manager's result: Python's numbers out of whatever holds them, and a clear word on what is none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from harness.errors import ComponentError
from harness.reward_managers.sample import RewardResult, Segment
from harness.reward_managers.spread import from_note, with_note
from harness.scoring.checked import checked
from harness.scoring.failures import FAILED


@pytest.mark.parametrize("tokens", [(0.5, 1.0), [0.5, 1.0], torch.tensor([0.5, 1.0]), np.array([0.5, 1.0], np.float32)])
def test_token_rewards_may_be_a_tensor(tokens: Any) -> None:
    result = checked(RewardResult(torch.tensor(1.5), {"acc": np.float32(1.0), "note": "x"}, token_rewards=tokens))
    assert result == RewardResult(1.5, {"acc": 1.0, "note": "x", FAILED: 0.0}, token_rewards=(0.5, 1.0))
    assert all(type(value) is float for value in (result.score, result.extra["acc"], *result.token_rewards))
    assert from_note(1.5, with_note(result)).token_rewards == (0.5, 1.0)  # travels as text


def test_token_rewards_of_no_tokens() -> None:
    assert checked(RewardResult(0.0, {}, token_rewards=torch.zeros(0))).token_rewards == ()


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "None came back for a response, not a RewardResult"),
        (RewardResult(None, {}), r"RewardResult\.score = None, not a number"),
        (RewardResult("1", {}), r"RewardResult\.score = '1', not a number"),
        (RewardResult(math.inf, {}), r"RewardResult\.score = inf, not a finite number"),
        (RewardResult(torch.ones(3), {}), r"RewardResult\.score = Tensor of shape \(3,\), not a number"),
        (RewardResult(1.0, None), r"RewardResult\.extra is None, not a mapping"),
        (RewardResult(1.0, {"acc": math.nan}), r"RewardResult\.extra\['acc'\] = nan, not a finite number"),
        (RewardResult(1.0, {"acc": "yes"}), r"RewardResult\.extra\['acc'\] = 'yes', not a number"),
        (RewardResult(1.0, {}, token_rewards=3.0), r"RewardResult\.token_rewards is 3\.0, not a number for each token"),
        (RewardResult(1.0, {}, token_rewards=torch.tensor([0.0, math.nan])), r"token_rewards\[1\] = nan, not a finite"),
        (RewardResult(1.0, {}, token_rewards=torch.ones(1, 2)), r"token_rewards\[0\] = \[1\.0, 1\.0\], not a number"),
        (RewardResult(1.0, {}, segments=(Segment(0, 1, math.nan),)), r"segments\[…\]\.reward = nan, not a finite"),
        (RewardResult(1.0, {}, segments=((0, 1, 1.0),)), r"segments holds \(0, 1, 1\.0\), not a Segment"),
    ],
)
def test_what_is_no_result(result: Any, words: str) -> None:
    with pytest.raises(ComponentError, match=words):
        checked(result)
