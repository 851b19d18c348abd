"""GPG (arXiv:2504.02546): centred scores, scaled up by the share of responses that scored anything."""

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
    """A_i = α (R_i − mean R) / f_norm, with α = N / number of responses whose score is not 0.

    Args:
        token_level_rewards: (N, T).
        response_mask: (N, T), 1 on response tokens.
        index: (N,), the group of each row as an integer.
        f_norm: Constant normaliser.

    Returns:
        Advantages and returns, (N, T) each and equal.
    """
    score_N, groups = scores(token_level_rewards), Groups(index)
    alpha = len(score_N) / score_N.count_nonzero().clamp(min=1)
    mean_N = groups.spread(groups.mean(score_N)).masked_fill(groups.alone, 0.0)
    return on_tokens(alpha * (score_N - mean_N) / f_norm, response_mask)
