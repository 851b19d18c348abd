"""RLOO (arXiv:2402.14740): A_i = R_i − mean of the other responses' scores in the group."""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.groups import Groups
from harness.advantages.tokens import on_tokens, scores


def rloo(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores minus the leave-one-out mean; a response alone in its group keeps its score.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    score_N, groups = scores(token_level_rewards), Groups(index)
    others_N = groups.spread(groups.sum(score_N)) - score_N
    return on_tokens(score_N - others_N / (groups.spread(groups.sizes) - 1).clamp(min=1), response_mask)
