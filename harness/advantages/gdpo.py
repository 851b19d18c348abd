"""GDPO (arXiv:2601.05242): every reward is normalised in its group by itself before they are added.

With several rewards GRPO normalises their sum, so that different combinations of scores become one advantage.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge

from harness.advantages.groups import Groups
from harness.advantages.grpo import relative_to_group
from harness.advantages.tokens import on_tokens, whiten
from harness.errors import ConfigurationError


def gdpo(
    reward_components: Mapping[str, torch.Tensor],
    reward_weights: Mapping[str, float],
    response_mask: torch.Tensor,
    index: np.ndarray,
    epsilon: Annotated[float, Ge(0)] = 1e-6,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A = whiten(Σ_k w_k (R_k − mean R_k) / (std R_k + ε)).

    Args:
        reward_components: For each function of ``reward_fn`` its scores, (N,).
        reward_weights: Their weights.
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        epsilon: Added to each standard deviation.

    Returns:
        Advantages and returns, (N, T) each and equal.

    Raises:
        ConfigurationError: The reward manager does not say what each function scored.
    """
    if not reward_components:
        raise ConfigurationError(
            "advantage_fn: gdpo needs the score of each function of reward_fn, and this reward manager notes none.",
            "Use reward_manager=per_sample, or note reward_fn/NAME for each function beside the reward.",
        )
    groups = Groups(index)
    total_N = torch.zeros(len(response_mask))
    for name, scores_N in reward_components.items():
        total_N += reward_weights[name] * relative_to_group(scores_N, groups, True, epsilon)
    advantages_NT = whiten(on_tokens(total_N, response_mask)[0], response_mask)
    return advantages_NT, advantages_NT
