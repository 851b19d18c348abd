"""MaxRL (arXiv:2602.02710): A_i = (R_i − mean R) / mean R over the group, for scores that are not negative.

With scores of 0 and 1 the gradient approaches that of log p(right), so that prompts which are rarely solved weigh more.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge

from harness.advantages.groups import Groups
from harness.advantages.tokens import on_tokens, scores
from harness.errors import ConfigurationError


def max_rl(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    epsilon: Annotated[float, Ge(0)] = 1e-6,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores relative to their group's mean; 0 where nothing in the group scored.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        epsilon: Added to the mean.

    Returns:
        Advantages and returns, (N, T) each and equal.

    Raises:
        ConfigurationError: A score is negative.
    """
    score_N, groups = scores(token_level_rewards), Groups(index)
    if score_N.numel() and score_N.min() < 0:
        raise ConfigurationError(
            f"advantage_fn: max_rl needs scores of at least 0; this batch has {score_N.min():.4g}.",
            "Choose reward functions that do not punish, or another algorithm.",
        )
    mean_N = groups.spread(groups.mean(score_N))
    return on_tokens((score_N - mean_N) / (mean_N + epsilon), response_mask)
