"""Token-wise advantage, from Reward-SQL's code base: each token against the tokens at the same place in its group.

A_it = (r_it − μ_t) / (σ_t + ε) over the group's responses that have a token there, σ_t unbiased; 0 where one alone has.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.groups import Groups


def token_wise(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray, epsilon: float = 1e-6
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards relative to those at the same place of the group's other responses.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        epsilon: Added to the standard deviation.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    inside_NT, groups = response_mask > 0, Groups(index)
    rewards_NT = torch.where(inside_NT, token_level_rewards, 0.0)

    def of_group(values_NT: torch.Tensor) -> torch.Tensor:
        sums_GT = torch.zeros(len(groups.sizes), values_NT.shape[1], dtype=values_NT.dtype)
        return sums_GT.index_add_(0, groups.of_row, values_NT)[groups.of_row]

    count_NT = of_group(inside_NT.to(rewards_NT.dtype))
    centred_NT = torch.where(inside_NT, rewards_NT - of_group(rewards_NT) / count_NT.clamp(min=1), 0.0)
    std_NT = (of_group(centred_NT.square()) / (count_NT - 1).clamp(min=1)).sqrt()
    advantages_NT = torch.where(count_NT > 1, centred_NT / (std_NT + epsilon), 0.0)
    return advantages_NT, advantages_NT
