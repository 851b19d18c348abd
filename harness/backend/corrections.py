"""What verl does to a batch before its estimator, done before an ``advantage_fn`` too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from tensordict import TensorDict
from verl.protocol import DataProto
from verl.trainer.ppo.ray_trainer import apply_kl_penalty
from verl.trainer.ppo.rollout_corr_helper import compute_rollout_correction_and_add_to_batch

from harness.backend.advantages import call_advantage_fn, require_nothing_else, reward_components

if TYPE_CHECKING:
    from omegaconf import DictConfig


def advantages_of(
    function: Callable[..., Any],
    fields: dict[str, Any],
    algorithm: DictConfig,
    kl_controller: Any,
    weights: dict[str, float],
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """A step's advantages, after the corrections that verl makes before its own estimators.

    Args:
        function: See `call_advantage_fn`.
        fields: The batch's columns, with ``rm_scores`` and ``response_mask``, (rows, response length).
        algorithm: The section of that name.
        kl_controller: verl's, for a KL penalty in the reward.
        weights: The functions of ``reward_fn`` and what each counts.

    Returns:
        ``advantages``, ``returns`` and the columns that the corrections changed, (rows, response length); and metrics.
    """
    changed, metrics = corrected(fields, algorithm, kl_controller)
    scores = fields["rm_scores"]
    fields = {**fields, "token_level_scores": scores, "token_level_rewards": scores, **changed}
    fields |= {"reward_components": reward_components(fields, weights), "reward_weights": weights}
    require_nothing_else(function, fields)
    advantages, returns = call_advantage_fn(function, {**fields, "config": algorithm})
    return {"advantages": advantages, "returns": returns, **changed}, metrics


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


def on_responses(advantages: dict[str, torch.Tensor], mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """Zero where there is no response token, whatever verl's estimator put there.

    Its OPO divides by the tokens of a group, and the rows that fill a batch up are a group without any: their NaN
    outlives the mask in the gradient.

    Args:
        advantages: Name → (rows, response length).
        mask: (rows, response length), 1 on response tokens.
    """
    return {name: torch.where(mask > 0, values, 0.0) for name, values in advantages.items()}
