"""Reward-SQL's process advantage, "average unique" (arXiv:2505.04671): a response's advantage, spread over its steps.

R_i = mean of the different non-zero r_t of response i (each step's tokens hold one value); A_i = (R_i − μ) / (σ + ε) in
its group, σ unbiased. Where r_t ≠ 0:

    A_it = (r_t − 1) A_i   if A_i > 0 and r_t > 1
           r_t A_i         if A_i > 0 and r_t ≤ 1
           (1 − r_t) A_i   otherwise

and 0 elsewhere, as is all of a response alone in its group. It is meant for r_t = σ_step + EX, which lies above 1 where
the answer is right: in a better response the better steps gain more, and in a worse one with a wrong answer the worse
steps lose more. As published, a token with r_t = 0 gets nothing; and where r_t > 1 the last line turns the sign: the
steps of a right answer are pushed up also where it is worse than its group's mean.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.groups import Groups


def average_unique(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray, epsilon: float = 1e-6
) -> tuple[torch.Tensor, torch.Tensor]:
    """A response's advantage on the tokens of its steps, by their rewards.

    Args:
        token_level_rewards: (N, T), one value on all tokens of a step.
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        epsilon: Added to the standard deviation.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    rewards_NT = torch.where(response_mask > 0, token_level_rewards, 0.0)
    score_N, groups = mean_of_different(rewards_NT), Groups(index)
    centred_N = score_N - groups.spread(groups.mean(score_N))
    relative_N = centred_N / (groups.spread(groups.std(score_N)) + epsilon)
    relative_NT = relative_N.masked_fill(groups.alone, 0.0)[:, None]
    better_NT = torch.where(rewards_NT > 1, rewards_NT - 1, rewards_NT)
    factor_NT = torch.where(relative_NT > 0, better_NT, 1 - rewards_NT)
    advantages_NT = torch.where(rewards_NT != 0, factor_NT * relative_NT, 0.0)
    return advantages_NT, advantages_NT


def mean_of_different(values_NT: torch.Tensor) -> torch.Tensor:
    """(N,), the mean of each row's different values other than 0; 0 where there is none."""
    sorted_NT = values_NT.sort(dim=1).values
    first_NT = torch.ones_like(sorted_NT, dtype=torch.bool)
    first_NT[:, 1:] = sorted_NT[:, 1:] != sorted_NT[:, :-1]
    counted_NT = first_NT & (sorted_NT != 0)
    return torch.where(counted_NT, sorted_NT, 0.0).sum(1) / counted_NT.sum(1).clamp(min=1)
