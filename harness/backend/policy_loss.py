"""The bridge to ``policy_loss``: a node becomes a loss that verl's actor looks up by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.components.instantiate import instantiate

NAME = "harness"


def use_policy_loss(nodes: Mapping[str, Any]) -> str | None:
    """Build the configured policy loss in this process and register it with verl.

    Args:
        nodes: ``{"policy_loss": node, "trusted_modules": [...]}``. The component takes verl's arguments: old_log_prob,
            log_prob, advantages and response_mask, each (rows, response length), then loss_agg_mode, config and
            rollout_is_weights; it returns (loss, metrics). Source: verl.trainer.ppo.core_algos.PolicyLossFn.

    Returns:
        The loss mode to select, or None where verl's own stays.
    """
    node = nodes.get("policy_loss")
    if not node or not node.get("_target_"):
        return None
    from verl.trainer.ppo.core_algos import register_policy_loss

    register_policy_loss(NAME)(instantiate(node, "policy_loss", nodes.get("trusted_modules") or ()))
    return NAME
