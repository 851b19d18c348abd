"""GPG (arXiv:2504.02546): centred scores, scaled up by the share of responses that have a gradient.

``advantage_fn=gpg`` has the paper's α. verl's estimator, which ``algorithm=gpg`` uses, counts responses whose score is
not 0 instead, whether or not their group has a gradient, and the rows that fill a batch up among all.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch
from annotated_types import Gt

from harness.advantages.groups import Groups
from harness.advantages.tokens import on_tokens, scores


def gpg(
    token_level_rewards: torch.Tensor,
    response_mask: torch.Tensor,
    index: np.ndarray,
    f_norm: Annotated[float, Gt(0)] = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A_i = α (R_i − mean R) / f_norm, with α = N / (N − M): M of N responses are in groups with equal scores.

    A response alone in its group keeps its score, and is one of the M where that is 0.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens; a row without any pads the batch and does not count.
        index: (N,), the group of each row as an integer.
        f_norm: Constant normaliser.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    score_N, groups, real_N = scores(token_level_rewards), Groups(index), response_mask.any(dim=1)
    mean_N = groups.spread(groups.mean(score_N)).masked_fill(groups.alone, 0.0)
    valid_N = real_N & torch.where(groups.alone, score_N != 0, groups.spread(groups.range(score_N)) > 0)
    alpha = real_N.sum() / valid_N.sum().clamp(min=1)
    return on_tokens(alpha * (score_N - mean_N) / f_norm, response_mask)
