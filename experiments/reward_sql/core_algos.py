"""The advantages of Reward-SQL under the names and with the signature that its code base knows them by.

For ``--core_algos experiments.reward_sql.core_algos --core_function NAME``; ``advantage_fn=sql_weighted_grpo`` and the
like choose the same functions.
"""

from __future__ import annotations

from typing import Any

import torch

from experiments.reward_sql.advantages.average_unique import average_unique
from experiments.reward_sql.advantages.token_wise import token_wise
from experiments.reward_sql.advantages.weighted_grpo import weighted_grpo

Advantages = tuple[torch.Tensor, torch.Tensor]


def compute_weighted_grpo_advantage(
    token_level_rewards: torch.Tensor,
    eos_mask: torch.Tensor,
    index: Any,
    weight_factor: float = 0.5,
    epsilon: float = 1e-6,
) -> Advantages:
    """See `weighted_grpo`."""
    return weighted_grpo(token_level_rewards, eos_mask, index, weight_factor, epsilon)


def compute_grpo_process_advantage_avg_unique(
    token_level_rewards: torch.Tensor, eos_mask: torch.Tensor, index: Any, epsilon: float = 1e-6
) -> Advantages:
    """See `average_unique`."""
    return average_unique(token_level_rewards, eos_mask, index, epsilon)


def compute_token_wise_advantage(
    token_level_rewards: torch.Tensor, eos_mask: torch.Tensor, index: Any, epsilon: float = 1e-6
) -> Advantages:
    """See `token_wise`."""
    return token_wise(token_level_rewards, eos_mask, index, epsilon)
