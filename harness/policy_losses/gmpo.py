"""GMPO (arXiv:2507.20673): the ratio of a sequence is the geometric mean of its tokens' clipped ratios.

verl's ``geo_mean`` averages over each micro-batch, so that its gradient grows with their number; here the average is
over the whole mini-batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import torch
from annotated_types import Ge


def gmpo(
    old_log_prob: torch.Tensor,
    log_prob: torch.Tensor,
    advantages: torch.Tensor,
    response_mask: torch.Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: torch.Tensor | None = None,
    clip_low: Annotated[float, Ge(0)] = 0.4,
    clip_high: Annotated[float, Ge(0)] = 0.4,
) -> tuple[torch.Tensor, dict[str, float]]:
    """L = −(1/N) Σ_i A_i exp(mean_t clip(log r_it)), the clip being PPO's pessimistic one on log-ratios.

    Args:
        old_log_prob: (rows, T), of the policy that was sampled from.
        log_prob: (rows, T), of the policy that is trained.
        advantages: (rows, T), equal on all tokens of a response.
        response_mask: (rows, T), 1 on response tokens.
        loss_agg_mode: Has no meaning here: the loss is a mean over sequences.
        config: verl's actor configuration; ``global_batch_info`` says how many sequences the mini-batch has.
        rollout_is_weights: (rows, T), importance weights of the rollout, or None.
        clip_low: log r is kept above −clip_low where the advantage is negative.
        clip_high: log r is kept below clip_high where the advantage is positive.

    Returns:
        The loss and metrics for the record.
    """
    mask_NT = response_mask.float()
    length_N = mask_NT.sum(dim=1).clamp(min=1)
    log_ratio_NT = log_prob - old_log_prob
    clipped_NT = log_ratio_NT.clamp(-clip_low, clip_high)
    sign_NT = advantages.sign()
    used_NT = sign_NT * torch.minimum(sign_NT * log_ratio_NT, sign_NT * clipped_NT)
    advantage_N = (advantages * mask_NT).sum(dim=1) / length_N
    losses_N = -advantage_N * ((used_NT * mask_NT).sum(dim=1) / length_N).exp()
    if rollout_is_weights is not None:
        losses_N = losses_N * ((rollout_is_weights.clamp(min=1e-10).log() * mask_NT).sum(dim=1) / length_N).exp()
    info: Mapping[str, Any] = getattr(config, "global_batch_info", None) or {}
    sequences = info.get("global_batch_size") or len(losses_N)
    loss = losses_N.sum() / sequences * (info.get("dp_size") or 1)
    with torch.no_grad():
        tokens = mask_NT.sum().clamp(min=1)
        outside_NT = (log_ratio_NT != clipped_NT) * mask_NT
        metrics = {
            "actor/pg_clipfrac": ((outside_NT * (advantages > 0)).sum() / tokens).item(),
            "actor/pg_clipfrac_lower": ((outside_NT * (advantages < 0)).sum() / tokens).item(),
            "actor/ppo_kl": (-(log_ratio_NT * mask_NT).sum() / tokens).item(),
        }
    return loss, metrics
