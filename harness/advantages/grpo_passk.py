"""Pass@k (arXiv:2503.19595): only the best response of a group has an advantage, over the second best."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge

from harness.advantages.groups import Groups
from harness.advantages.tokens import on_tokens, scores
from harness.errors import ConfigurationError


def grpo_passk(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    normalise_by_std: bool = True,
    epsilon: Annotated[float, Ge(0)] = 1e-6,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A = (best − second best) / (std + ε) for the best response (the first of equals), 0 for the others.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        normalise_by_std: Whether to divide by the group's standard deviation (unbiased).
        epsilon: Added to it.

    Returns:
        Advantages and returns, (N, T) each and equal.

    Raises:
        ConfigurationError: A group has one response (rows without response tokens, which pad a batch, aside).
    """
    score_N, groups = scores(token_level_rewards), Groups(index)
    if (groups.alone & response_mask.any(dim=1)).any():
        raise ConfigurationError(
            "advantage_fn: grpo_passk needs at least two responses a prompt.",
            "Set actor_rollout_ref.rollout.n to 2 or more.",
        )
    order = torch.argsort(score_N, descending=True, stable=True)
    order = order[torch.argsort(groups.of_row[order], stable=True)]  # by group, the best first
    firsts = groups.sizes.cumsum(0) - groups.sizes
    best, second = order[firsts], order[(firsts + 1).clamp(max=len(order) - 1)]
    gain_G = score_N[best] - score_N[second]
    if normalise_by_std:
        gain_G = gain_G / (groups.std(score_N) + epsilon)
    gain_G = gain_G.masked_fill(groups.sizes == 1, 0.0)
    return on_tokens(torch.zeros_like(score_N).index_copy(0, best, gain_G), response_mask)
