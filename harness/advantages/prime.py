"""PRIME (arXiv:2502.01456): process and outcome rewards, each with a leave-one-out baseline of its own, then added.

Built as the published recipe computes it, which differs from the paper's algorithm 1 by (r_t − mean r)/(K − 1) in the
process part.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.groups import Groups
from harness.advantages.tokens import discounted_sum, scores, whiten


def prime(
    process_rewards: torch.Tensor,
    token_level_scores: torch.Tensor,
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    process_coefficient: float = 5.0,
    outcome_coefficient: float = 5.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A = whiten(Σ_{s ≥ t} c_p p_s + c_o o_s), p_s = (K r_s − Σ_j mean r_j)/(K − 1), o the same of the outcome.

    The outcome stands at the last response token. A KL penalty in the reward is added token by token as it is. A
    response alone in its group has no baseline.

    Args:
        process_rewards: (N, T), from ``algorithm_steps``.
        token_level_scores: (N, T), the outcome reward.
        token_level_rewards: (N, T), the same with the KL penalty where ``algorithm.use_kl_in_reward``.
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        process_coefficient: c_p.
        outcome_coefficient: c_o.

    Returns:
        Advantages and returns, (N, T) each.
    """
    groups, inside_NT = Groups(index), response_mask > 0
    tokens_N = inside_NT.sum(1)
    others_N = (groups.spread(groups.sizes) - 1).clamp(min=1)
    factor_N = torch.where(groups.alone, 1.0, 1.0 + 1.0 / others_N)

    def baseline(values_N: torch.Tensor) -> torch.Tensor:
        return torch.where(groups.alone, 0.0, groups.spread(groups.sum(values_N)) / others_N)

    process_NT = torch.where(inside_NT, process_rewards, 0.0)
    baseline_N = baseline(process_NT.sum(1) / tokens_N.clamp(min=1))
    rewards_NT = process_coefficient * (process_NT * factor_N[:, None] - baseline_N[:, None])
    rewards_NT = rewards_NT + (token_level_rewards - token_level_scores)
    rewards_NT = torch.where(inside_NT, rewards_NT, 0.0)
    score_N = scores(token_level_scores)
    outcome_N = outcome_coefficient * (score_N * factor_N - baseline(score_N))
    last_NT = inside_NT & (inside_NT.cumsum(1) == tokens_N[:, None])
    returns_NT = discounted_sum(rewards_NT + torch.where(last_NT, outcome_N[:, None], 0.0), 1.0)
    returns_NT = torch.where(inside_NT, returns_NT, 0.0)
    return whiten(returns_NT, response_mask), returns_NT
