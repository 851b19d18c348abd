"""ReMax (arXiv:2310.10505): REINFORCE with the score of a greedy response to the same prompt as baseline."""

from __future__ import annotations

import numpy as np
import torch

from harness.advantages.tokens import Packed, discounted_sum


def remax(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, greedy_scores: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """A_t = Σ_{s ≥ t} r_s − R(greedy response).

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        greedy_scores: (N,), the reward of the greedy response to each row's prompt; generated because it is named here.

    Returns:
        Advantages, and returns (rewards to go), (N, T) each.
    """
    packed = Packed(response_mask)
    returns_NT = discounted_sum(packed.pack(token_level_rewards), 1.0)
    baseline_N = torch.tensor([float(score) for score in greedy_scores], dtype=returns_NT.dtype)
    return packed.back((returns_NT - baseline_N[:, None]) * packed.mask_NT), packed.back(returns_NT)
