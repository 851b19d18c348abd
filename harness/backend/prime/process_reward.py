"""The implicit process reward: q_t = log π_φ(y_t) − log π_ref(y_t), with φ trained so that σ(β Σ q_t) predicts success.

Sources: PRIME (arXiv:2502.01456), equations 3 to 5; the published recipe for verl, without its defects: groups need not
be contiguous, padding rows count nowhere.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

_EPSILON = 1e-6


def process_rewards(q_NT: torch.Tensor, mask_NT: torch.Tensor, beta: float, normalise: bool) -> torch.Tensor:
    """r_t = β q_t on response tokens; the last token of a response, where the outcome is given, gets 0.

    Args:
        q_NT: (N, T).
        mask_NT: (N, T), the response mask.
        beta: β.
        normalise: Whether the batch is divided by its largest |Σ_{s ≥ t} r_s|, the recipe's ``batch_norm``.

    Returns:
        (N, T), 0 outside the mask.
    """
    inside_NT = mask_NT > 0
    after_NT = inside_NT.flip(1).cumsum(1).flip(1)  # response tokens from here on
    rewards_NT = torch.where(inside_NT & (after_NT > 1), beta * q_NT, 0.0)
    if normalise:
        sums_NT = rewards_NT.flip(1).cumsum(1)
        rewards_NT = rewards_NT / (sums_NT.abs().max() + _EPSILON)
    return rewards_NT


def outcome_loss(scores_N: torch.Tensor, labels_N: torch.Tensor, real_N: torch.Tensor) -> torch.Tensor:
    """Σ binary cross-entropy of σ(score) and label over the real rows; the caller divides by the number of rows.

    Args:
        scores_N: (N,), β Σ_t q_t.
        labels_N: (N,), how right the responses are, from 0 to 1.
        real_N: (N,), false for padding rows.
    """
    each_N = binary_cross_entropy_with_logits(scores_N, labels_N, reduction="none")
    return torch.where(real_N, each_N, 0.0).sum()


def pair_accuracy(scores_N: torch.Tensor, labels_N: torch.Tensor, index_N: np.ndarray) -> float:
    """How often the better of two responses to a prompt scores higher, weighted by the difference of their labels.

    A group without such a pair counts 0.5, as in the recipe.
    """
    shares = []
    for group in np.unique(index_N):
        rows = torch.from_numpy(np.flatnonzero(index_N == group))
        scores, labels = scores_N[rows], labels_N[rows]
        pairs = torch.triu_indices(len(rows), len(rows), offset=1)
        better = labels[pairs[0]] - labels[pairs[1]]
        agree = (scores[pairs[0]] > scores[pairs[1]]) == (better > 0)
        weight = better.abs().sum()
        shares.append(0.5 if weight == 0 else float((agree * better.abs()).sum() / weight))
    return float(np.mean(shares)) if shares else 0.5


def sign_accuracy(scores_N: torch.Tensor, labels_N: torch.Tensor) -> float:
    """How often a score is above 0 for labels above 0.5, below 0 for labels below."""
    return float((torch.sign(scores_N) == torch.sign(2 * labels_N - 1)).float().mean())
