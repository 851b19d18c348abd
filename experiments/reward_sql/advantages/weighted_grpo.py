"""Weighted GRPO: GRPO's advantage, in which the worse responses of a group weigh less. From Reward-SQL's code base.

s = Σ_t r; z = (s − μ) / (σ + ε) in its group, σ unbiased; w = f + (1 − f)(s − min) / (max − min), 1 where all scores
are equal; A = z · w on every token. A response alone in its group gets 0.
"""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.groups import Groups
from harness.advantages.tokens import on_tokens, scores


def weighted_grpo(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    weight_factor: float = 0.5,
    epsilon: float = 1e-6,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores relative to their group, weighted by where they lie in its range.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        weight_factor: f, the weight of the worst response; the best has 1.
        epsilon: Added to the standard deviation.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    score_N, groups = scores(token_level_rewards), Groups(index)
    centred_N = score_N - groups.spread(groups.mean(score_N))
    relative_N = centred_N / (groups.spread(groups.std(score_N)) + epsilon)
    least_N, most_N = (groups.spread(extreme) for extreme in _extremes(score_N, groups))
    range_N = most_N - least_N
    share_N = (score_N - least_N) / torch.where(range_N > 0, range_N, 1.0)
    weight_N = torch.where(range_N > 0, weight_factor + (1 - weight_factor) * share_N, 1.0)
    return on_tokens((relative_N * weight_N).masked_fill(groups.alone, 0.0), response_mask)


def _extremes(score_N: torch.Tensor, groups: Groups) -> tuple[torch.Tensor, torch.Tensor]:
    """(groups,) least and greatest scores."""
    empty = torch.zeros(len(groups.sizes), dtype=score_N.dtype)
    least, most = (
        empty.scatter_reduce(0, groups.of_row, score_N, reduce=how, include_self=False) for how in ("amin", "amax")
    )
    return least, most
