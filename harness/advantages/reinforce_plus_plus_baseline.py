"""REINFORCE++ with a baseline (arXiv:2501.03262): scores minus their group's mean, whitened over the whole batch."""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.groups import Groups
from harness.advantages.grpo import relative_to_group
from harness.advantages.tokens import on_tokens, scores, whiten


def reinforce_plus_plus_baseline(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """A = whiten(R_i − mean R of the group); a response alone in its group keeps its score.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    score_N = scores(token_level_rewards)
    centred_N = relative_to_group(score_N, Groups(index), normalise_by_std=False, epsilon=0.0)
    advantages_NT = whiten(on_tokens(centred_N, response_mask)[0], response_mask)
    return advantages_NT, advantages_NT
