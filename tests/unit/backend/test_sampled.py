"""What is looked at before a batch is trained on."""

from __future__ import annotations

import math

import pytest
import torch

from harness.backend.sampled import note_means, require_finite
from harness.errors import ComponentError


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_reward_that_is_no_finite_number_is_refused(value: float) -> None:
    rewards = torch.zeros(3, 4)
    require_finite(rewards)
    rewards[1, 2:] = value
    with pytest.raises(ComponentError, match=f"1 of 3 responses got a reward of {value}, not a finite number"):
        require_finite(rewards)


def test_means_are_of_numbers_alone_and_failures_are_counted() -> None:
    notes = [{"acc": 1.0, "scoring_failed": 0.0, "text": "a"}, {"acc": False, "scoring_failed": 1.0, "reward_fn/x": 2}]
    assert note_means(notes) == {"scoring/failed_sum": 1.0, "reward/acc": 0.5, "reward_fn/x": 2.0}
