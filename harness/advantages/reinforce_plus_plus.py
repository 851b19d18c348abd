"""REINFORCE++ (arXiv:2501.03262): discounted rewards to go, whitened over the whole batch; no critic, no groups."""

from __future__ import annotations

from typing import Annotated

import torch
from annotated_types import Interval

from harness.advantages.tokens import Packed, discounted_sum, whiten


def reinforce_plus_plus(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, gamma: Annotated[float, Interval(ge=0, le=1)] = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """G_t = r_t + γ G_{t+1} over response tokens, and A = (G − mean) / std over the batch.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens; others are stepped over.
        gamma: Discount γ.

    Returns:
        Whitened advantages, and returns, (N, T) each.
    """
    packed = Packed(response_mask)
    returns_NT = discounted_sum(packed.pack(token_level_rewards), gamma)
    return packed.back(whiten(returns_NT, packed.mask_NT)), packed.back(returns_NT)
