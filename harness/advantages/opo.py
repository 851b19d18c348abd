"""OPO (arXiv:2505.23585): the baseline of a group is its mean score weighted by length."""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.groups import Groups
from harness.advantages.tokens import on_tokens, scores


def opo(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """A_i = R_i − Σ_j len_j R_j / Σ_j len_j; a response alone in its group keeps its score.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    score_N, groups = scores(token_level_rewards), Groups(index)
    length_N = response_mask.sum(dim=1).to(score_N.dtype)
    baseline_G = groups.sum(length_N * score_N) / groups.sum(length_N).clamp(min=1)
    return on_tokens(score_N - groups.spread(baseline_G).masked_fill(groups.alone, 0.0), response_mask)
