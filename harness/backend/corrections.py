"""What verl does to a batch before its estimator, done before an ``advantage_fn`` too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from tensordict import TensorDict
from verl.protocol import DataProto
from verl.trainer.ppo.ray_trainer import apply_kl_penalty
from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_and_add_to_batch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def corrected(fields: dict[str, Any], algorithm: DictConfig, kl_controller: Any) -> tuple[dict[str, Any], dict]:
    """Subtract the KL penalty from the rewards, and account for a rollout policy that differs from the trained one.

    After `verl.trainer.ppo.v1.trainer_base.PPOTrainer._compute_advantage`, steps 1 and 2.

    Args:
        fields: A batch's columns, with ``rm_scores`` and ``response_mask``, (rows, response length).
        algorithm: The section ``algorithm``, of which ``use_kl_in_reward``, ``kl_penalty`` and
            ``rollout_correction`` are read.
        kl_controller: verl's, with the coefficient of the KL penalty.

    Returns:
        What is new or differs, (rows, response length): ``token_level_rewards``, ``response_mask``,
        ``rollout_is_weights``; and metrics.
    """
    tensors = {name: value for name, value in fields.items() if isinstance(value, torch.Tensor)}
    data = DataProto(batch=TensorDict(tensors, batch_size=len(fields["uid"])))
    data.batch["token_level_scores"] = data.batch["token_level_rewards"] = data.batch["rm_scores"]
    changed, metrics = [], {}
    if algorithm.use_kl_in_reward:
        data, metrics = apply_kl_penalty(data, kl_controller, algorithm.kl_penalty)
        changed.append("token_level_rewards")
    settings = algorithm.get("rollout_correction")
    if settings and "rollout_log_probs" in data.batch and not settings.get("bypass_mode"):
        data, off_policy = compute_rollout_correction_and_add_to_batch(data, settings)
        metrics = metrics | off_policy
        changed += ["response_mask", *(["rollout_is_weights"] if "rollout_is_weights" in data.batch else [])]
    return {name: data.batch[name] for name in changed}, metrics
