"""Each advantage against a float64 reference of its formula, by the harness's way and by the classic signature."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.reward_sql import core_algos
from experiments.reward_sql.advantages.average_unique import average_unique
from experiments.reward_sql.advantages.token_wise import token_wise
from experiments.reward_sql.advantages.weighted_grpo import weighted_grpo
from harness.backend.advantages import call_advantage_fn, group_index

spec = importlib.util.spec_from_file_location("sql_advantage_reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

FUNCTIONS = {
    "weighted_grpo": (weighted_grpo, core_algos.compute_weighted_grpo_advantage),
    "average_unique": (average_unique, core_algos.compute_grpo_process_advantage_avg_unique),
    "token_wise": (token_wise, core_algos.compute_token_wise_advantage),
}
CASES = ("outcomes", "steps", "groups of one", "all equal", "nothing", "padding rows", "permuted", "one token", "wide")


def make(case: str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Rewards and mask (N, T) in float64, and the group of each row: ragged lengths, unequal groups."""
    rng = np.random.default_rng(CASES.index(case))
    sizes = [1] * 5 if case == "groups of one" else [3, 5, 1, 8, 2]
    groups = [f"prompt {number}" for number, size in enumerate(sizes) for _ in range(size)]
    width = {"one token": 1, "wide": 300}.get(case, 11)
    lengths = rng.integers(1, width + 1, len(groups))
    mask = (np.arange(width) < lengths[:, None]).astype(float)
    right = rng.integers(0, 2, len(groups)).astype(float)
    rewards = np.zeros_like(mask)
    if case == "outcomes":
        rewards[np.arange(len(groups)), lengths - 1] = right
    elif case == "all equal":
        rewards = 0.5 * mask
    elif case != "nothing":
        step_of_token = rng.integers(1, 4, mask.shape).cumsum(1) // 8
        scores = rng.integers(0, 5, (len(groups), step_of_token.max() + 1)) / 4  # exact in float32
        rewards = (np.take_along_axis(scores, step_of_token, 1) + right[:, None]) * mask
    if case == "padding rows":
        rewards, mask = (np.concatenate([part, np.zeros((2, width))]) for part in (rewards, mask))
        groups += ["padding 1", "padding 2"]
    if case == "permuted":
        order = rng.permutation(len(groups))
        rewards, mask, groups = rewards[order], mask[order], [groups[i] for i in order]
    return rewards, mask, groups


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_equals_the_reference(name: str, case: str) -> None:
    rewards, mask, groups = make(case)
    wanted = getattr(reference, name)(rewards, mask, groups)
    ours, classic = FUNCTIONS[name]
    fields = {
        "token_level_rewards": torch.tensor(rewards, dtype=torch.float32),
        "response_mask": torch.tensor(mask, dtype=torch.int64),
        "uid": np.array(groups, dtype=object),
    }
    found = call_advantage_fn(ours, fields)
    old = classic(fields["token_level_rewards"], fields["response_mask"].float(), group_index(fields["uid"]))
    for advantages in (*found, *old):
        np.testing.assert_allclose(advantages.double().numpy(), wanted, atol=3e-5, rtol=3e-5)


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [([0, 1, 2, 3], [-0.5809, -0.2582, 0.3227, 1.1619]), ([1, 0, 1, 0], [0.866, -0.433, 0.866, -0.433])],
)
def test_weighted_grpo_has_the_published_values(scores: list[float], wanted: list[float]) -> None:
    rewards = torch.tensor(scores, dtype=torch.float32)[:, None]
    advantages, returns = core_algos.compute_weighted_grpo_advantage(
        token_level_rewards=rewards, eos_mask=torch.ones(4, 1), index=np.zeros(4, dtype=int), epsilon=1e-6
    )
    torch.testing.assert_close(advantages[:, 0], torch.tensor(wanted), atol=5e-5, rtol=0)
    torch.testing.assert_close(returns, advantages)


def test_a_weight_of_one_is_grpo() -> None:
    rewards, mask, groups = make("outcomes")
    index = group_index(np.array(groups, dtype=object))
    got = weighted_grpo(torch.tensor(rewards), torch.tensor(mask), index, weight_factor=1.0)[0]
    np.testing.assert_allclose(
        got.numpy(), reference.weighted_grpo(rewards, mask, groups, weight_factor=1.0), atol=1e-9
    )
    lighter = weighted_grpo(torch.tensor(rewards), torch.tensor(mask), index, weight_factor=0.0)[0]
    assert lighter.min() > got.min()


def test_average_unique_by_hand() -> None:
    """Two responses of two steps: a right one with steps 0.5 and 1, a wrong one with 0.5 and 0."""
    rewards = torch.tensor([[1.5, 1.5, 2.0], [0.5, 0.0, 0.0]])
    advantages, _ = average_unique(rewards, torch.ones(2, 3), np.array([0, 0]))
    z = (1.75 - 1.125) / (1.25 / 2**0.5)
    torch.testing.assert_close(advantages, torch.tensor([[0.5 * z, 0.5 * z, z], [-0.5 * z, 0.0, 0.0]]))


def test_what_stands_outside_the_mask_is_not_read() -> None:
    rewards, mask, groups = make("steps")
    index = group_index(np.array(groups, dtype=object))
    noisy = torch.tensor(np.where(mask > 0, rewards, 7.0))
    for function in (average_unique, token_wise):
        clean = function(torch.tensor(rewards), torch.tensor(mask), index)[0]
        torch.testing.assert_close(function(noisy, torch.tensor(mask), index)[0], clean)
