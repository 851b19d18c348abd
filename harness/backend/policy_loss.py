"""The bridge to ``policy_loss``: a node becomes a loss that verl's actor looks up by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from harness.components.instantiate import instantiate
from harness.components.kinds import LOSS_WEIGHTS, parameters_of
from harness.errors import ComponentError

NAME = "harness"


def use_policy_loss(nodes: Mapping[str, Any]) -> str | None:
    """Build the configured policy loss in this process and register it with verl.

    Args:
        nodes: ``{"policy_loss": node, "trusted_modules": [...]}``. The component takes verl's arguments: old_log_prob,
            log_prob, advantages and response_mask, each (rows, response length), then loss_agg_mode, config and
            rollout_is_weights, which it may leave out; it returns (loss, metrics).
            Source: verl.trainer.ppo.core_algos.PolicyLossFn.

    Returns:
        The loss mode to select, or None where verl's own stays.
    """
    node = nodes.get("policy_loss")
    if not node or not node.get("_target_"):
        return None
    from verl.trainer.ppo.core_algos import register_policy_loss

    loss = instantiate(node, "policy_loss", nodes.get("trusted_modules") or ())
    register_policy_loss(NAME)(as_verl_calls_it(loss, str(node["_target_"])))
    return NAME


def as_verl_calls_it(loss: Callable[..., Any], target: str) -> Callable[..., Any]:
    """verl always passes ``rollout_is_weights``, mostly as None: a loss without that parameter is spared the None.

    Args:
        loss: The component.
        target: Its name, for messages.
    """
    names, anything = parameters_of(loss)
    if anything or LOSS_WEIGHTS in names:
        return loss

    @functools.wraps(loss)
    def call(*, rollout_is_weights: Any = None, **arguments: Any) -> Any:
        if rollout_is_weights is not None:
            raise ComponentError(
                f"policy_loss: {target} takes no {LOSS_WEIGHTS}, which algorithm.rollout_correction.rollout_is makes.",
                "Give it that parameter and multiply each token's loss by it, or set rollout_is=null.",
            )
        return loss(**arguments)

    return call
