"""GRPO (arXiv:2402.03300): A_i = (R_i − mean R) / (std R + ε) over the responses to a prompt.

Without the division it is Dr.GRPO's advantage (arXiv:2503.20783). A response alone in its group keeps its score.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge

from harness.advantages.groups import Groups
from harness.advantages.tokens import on_tokens, scores


def grpo(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    normalise_by_std: bool = True,
    epsilon: Annotated[float, Ge(0)] = 1e-6,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores relative to their group.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        normalise_by_std: Whether to divide by the group's standard deviation (unbiased).
        epsilon: Added to it.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    score_N, groups = scores(token_level_rewards), Groups(index)
    return on_tokens(relative_to_group(score_N, groups, normalise_by_std, epsilon), response_mask)


def relative_to_group(score_N: torch.Tensor, groups: Groups, normalise_by_std: bool, epsilon: float) -> torch.Tensor:
    """(N,), (score − mean) / (std + ε), with mean 0 and std 1 for a response alone in its group."""
    mean_N = groups.spread(groups.mean(score_N)).masked_fill(groups.alone, 0.0)
    if not normalise_by_std:
        return score_N - mean_N
    std_N = groups.spread(groups.std(score_N)).masked_fill(groups.alone, 1.0)
    return (score_N - mean_N) / (std_N + epsilon)
