"""The bridge to advantage functions: what they get, and what they may return."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.backend.advantages import call_advantage_fn, group_index
from harness.errors import ComponentError

UID = np.array(["b", "a", "b", "c"], dtype=object)
MASK = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 1, 0]])
REWARDS = torch.tensor([[0.0, 1.0, 9.0], [2.0, 0.0, 0.0], [0.0, 0.0, 3.0], [0.0, 4.0, 0.0]])
BATCH = {
    "token_level_rewards": REWARDS,
    "response_mask": MASK,
    "uid": UID,
    "data_source": np.array(["s"] * 4, dtype=object),
}


def classic(token_level_rewards, eos_mask, index, epsilon=1e-6):
    """The classic signature, with integer group ids."""
    assert index.dtype == np.int64
    return token_level_rewards * eos_mask + torch.as_tensor(index)[:, None], token_level_rewards


def test_the_classic_signature_gets_integer_groups_and_results_are_masked() -> None:
    advantages, returns = call_advantage_fn(classic, BATCH)
    expected = (REWARDS * MASK + torch.tensor([0, 1, 0, 2])[:, None]) * MASK
    torch.testing.assert_close(advantages, expected)
    torch.testing.assert_close(returns, REWARDS * MASK)


def test_groups_are_numbered_as_they_appear() -> None:
    assert group_index(UID).tolist() == [0, 1, 0, 2]


def test_any_field_of_the_batch_can_be_asked_for() -> None:
    def function(token_level_rewards, data_source, **rest):
        assert "uid" in rest
        return token_level_rewards * (data_source == "s").all(), token_level_rewards

    assert call_advantage_fn(function, BATCH)[0].sum() == 10.0


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda token_level_rewards: token_level_rewards, "returned Tensor, not (advantages, returns)"),
        (
            lambda token_level_rewards: (token_level_rewards[:, :1], token_level_rewards),
            "advantages of shape (4, 1); the batch's is (4, 3)",
        ),
        (lambda response_mask: (response_mask, response_mask), "advantages of type torch.int64"),
        (lambda token_level_rewards: (token_level_rewards / 0, token_level_rewards), "NaN or infinite"),
        (lambda token_level_rewards: (token_level_rewards.numpy(), token_level_rewards), "as ndarray, not a tensor"),
        (lambda values: (values, values), "needs values, which this training does not have"),
    ],
)
def test_a_wrong_result_is_refused(function, message: str) -> None:
    with pytest.raises(ComponentError) as caught:
        call_advantage_fn(function, BATCH)
    assert message in caught.value.message
