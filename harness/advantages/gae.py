"""GAE (arXiv:1506.02438), the advantage of PPO: exponentially weighted temporal differences of a learned value."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval

from harness.advantages.tokens import Packed, discounted_sum, whiten


def gae(
    token_level_rewards: torch.Tensor,
    values: torch.Tensor,
    response_mask: torch.Tensor,
    gamma: Annotated[float, Interval(ge=0, le=1)] = 1.0,
    lam: Annotated[float, Interval(ge=0, le=1)] = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A_t = Σ_k (γλ)^k δ_{t+k} with δ_t = r_t + γ V_{t+1} − V_t, whitened over the batch.

    Tokens outside the mask, such as a tool's answer, are stepped over; the value after the last token is 0.

    Args:
        token_level_rewards: (N, T).
        values: (N, T), the critic's value of the state before each token.
        response_mask: (N, T), 1 on response tokens.
        gamma: Discount γ.
        lam: λ; 1 is the Monte-Carlo return minus the value, 0 the one-step difference.

    Returns:
        Whitened advantages, and returns (advantage before whitening plus value), (N, T) each.
    """
    packed = Packed(response_mask)
    rewards_NT, values_NT = packed.pack(token_level_rewards), packed.pack(values)
    differences_NT = rewards_NT.sub_(values_NT)
    differences_NT[:, :-1].add_(values_NT[:, 1:], alpha=gamma)
    advantages_NT = discounted_sum(differences_NT, gamma * lam)
    advantages, returns = whiten(advantages_NT, packed.mask_NT), advantages_NT + values_NT
    return packed.back(advantages), packed.back(returns)
