"""The bridge to advantage functions: what they get, and what they may return."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from harness.backend.advantages import call_advantage_fn, group_index, require_nothing_else
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


def test_what_stands_outside_the_response_does_not_matter() -> None:
    def careless(token_level_rewards, response_mask):
        return token_level_rewards / response_mask, torch.where(response_mask > 0, token_level_rewards, torch.inf)

    for found in call_advantage_fn(careless, BATCH):
        torch.testing.assert_close(found, REWARDS * MASK)


def test_groups_are_numbered_as_they_appear() -> None:
    assert group_index(UID).tolist() == [0, 1, 0, 2]


def test_any_field_of_the_batch_can_be_asked_for() -> None:
    def function(token_level_rewards, data_source, **rest):
        assert "uid" in rest
        return token_level_rewards * (data_source == "s").all(), token_level_rewards

    assert call_advantage_fn(function, BATCH)[0].sum() == 10.0


def curious(token_level_rewards, entropy=None, ability=None, missing=None, **rest):
    assert missing is None
    assert rest["uid"] is UID
    return token_level_rewards + entropy * (ability == "math").all(), token_level_rewards


def test_a_column_wins_over_the_null_of_an_option() -> None:
    batch = {**BATCH, "entropy": torch.full((4, 3), 0.5), "ability": np.array(["math"] * 4, dtype=object)}
    function = partial(curious, entropy=None, ability=None, missing=None)
    torch.testing.assert_close(call_advantage_fn(function, batch)[0], (REWARDS + 0.5) * MASK)
    assert call_advantage_fn(partial(function, entropy=0.0), batch)[0].sum() == 10.0, "a value wins over a column"


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


def by_parts(reward_components, reward_weights, response_mask): ...


def by_parts_and_rewards(reward_components, token_level_rewards): ...


def components(rewards: list[float], mask: torch.Tensor = MASK[:3], **notes: float) -> dict:
    """Three responses with scores 1 and 0.5 of two functions that weigh 1 and 2, and rewards of their own."""
    rows = [{"reward_extra_info": dict(notes)} for _ in rewards]
    return {
        "token_level_rewards": torch.tensor(rewards)[:, None] * torch.tensor([[0.0, 1.0, 0.0]]),
        "response_mask": mask,
        "reward_components": {"a": torch.full((3,), 1.0), "b": torch.full((3,), 0.5)},
        "reward_weights": {"a": 1.0, "b": 2.0},
        "extra_fields": np.array(rows, dtype=object),
    }


def test_what_only_the_reward_holds_is_not_left_out_silently() -> None:
    require_nothing_else(by_parts, components([2.0, 2.0, 2.0 + 1e-6]))
    with pytest.raises(ComponentError, match=r"by_parts reads .* reward of 1 responses is not .* 1\.7 for 2"):
        require_nothing_else(by_parts, components([2.0, 1.7, 2.0]))


def test_a_function_that_sees_the_rewards_answers_for_them_itself() -> None:
    require_nothing_else(by_parts_and_rewards, components([2.0, 1.7, 2.0]))
    require_nothing_else(lambda reward_components, **_: None, components([2.0, 1.7, 2.0]))


def test_padding_and_responses_that_could_not_be_scored_have_other_rewards() -> None:
    require_nothing_else(by_parts, components([2.0, 0.0, 2.0], MASK[:3] * torch.tensor([[1], [0], [1]])))
    require_nothing_else(by_parts, components([-1.0, -1.0, -1.0], scoring_failed=1.0))
