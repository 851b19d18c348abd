"""The bridge to ``advantage_fn``: a component that sees the whole batch, in place of verl's estimator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from harness.errors import ComponentError


def call_advantage_fn(function: Callable[..., Any], batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Call an advantage function with those of the batch's fields that it names.

    Args:
        function: Takes any of ``token_level_rewards``, ``token_level_scores``, ``response_mask`` (also under its
            classic name ``eos_mask``), ``old_log_probs``, ``ref_log_prob``, ``rollout_log_probs``, ``values``: (rows,
            response length), float or int; ``index``: (rows,), an integer for each group; ``uid`` and every
            non-tensor field: (rows,) objects; ``reward_components``: the scores of each function of ``reward_fn``,
            name → (rows,), and ``reward_weights``, name → number; ``config``: the ``algorithm`` section.
        batch: Those fields.

    Returns:
        Advantages and returns, (rows, response length), float32, zero outside the response mask.

    Raises:
        ComponentError: A field the function needs is not in the batch, or its result has the wrong form.
    """
    rewards, mask = batch["token_level_rewards"], batch["response_mask"]
    result = function(**_arguments(function, {**batch, "eos_mask": mask, "index": group_index(batch["uid"])}))
    if not (isinstance(result, tuple) and len(result) == 2):
        raise ComponentError(
            f"advantage_fn: {_name(function)} returned {type(result).__name__}, not (advantages, returns)."
        )
    advantages, returns = result
    return (
        _checked(advantages, rewards, mask, "advantages", function),
        _checked(returns, rewards, mask, "returns", function),
    )


def group_index(uid: np.ndarray) -> np.ndarray:
    """Group ids as integers, (rows,), in the order the groups first appear."""
    first_seen: dict[Any, int] = {}
    return np.array([first_seen.setdefault(group, len(first_seen)) for group in uid], dtype=np.int64)


def reward_components(batch: dict[str, Any], names: list[str]) -> dict[str, torch.Tensor]:
    """The score of each reward function, (rows,) float32, from what the reward manager noted beside the reward.

    Args:
        batch: The fields; ``extra_fields`` holds ``reward_extra_info`` for each row.
        names: The functions of ``reward_fn``. A single one's score is the reward itself.
    """
    if len(names) == 1:
        return {names[0]: batch["rm_scores"].sum(dim=1)}
    notes = [(extra or {}).get("reward_extra_info", {}) for extra in batch.get("extra_fields", ())]
    keys = {name: f"reward_fn/{name}" for name in names}
    if not all(key in note for note in notes for key in keys.values()):
        return {}  # a reward manager of verl's or of the user's, which does not say
    return {name: torch.tensor([float(note[key]) for note in notes]) for name, key in keys.items()}


def _arguments(function: Callable[..., Any], available: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return available
    bound = getattr(function, "keywords", {})
    named = {p.name: available[p.name] for p in parameters if p.name in available and p.name not in bound}
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in named and p.name not in bound]
    if missing:
        raise ComponentError(
            f"advantage_fn: {_name(function)} needs {', '.join(missing)}, which this training does not have.",
            f"It has: {', '.join(sorted(available))}.",
        )
    return named


def _checked(
    tensor: Any, like: torch.Tensor, mask: torch.Tensor, label: str, function: Callable[..., Any]
) -> torch.Tensor:
    where = f"advantage_fn: {_name(function)} returned {label}"
    if not isinstance(tensor, torch.Tensor):
        raise ComponentError(f"{where} as {type(tensor).__name__}, not a tensor.")
    if tensor.shape != like.shape:
        raise ComponentError(f"{where} of shape {tuple(tensor.shape)}; the batch's is {tuple(like.shape)}.")
    if not tensor.is_floating_point():
        raise ComponentError(f"{where} of type {tensor.dtype}; a floating-point type is needed.")
    tensor = tensor.detach().float() * mask
    if not torch.isfinite(tensor).all():
        raise ComponentError(f"{where} with NaN or infinite values.")
    return tensor


def _name(function: Callable[..., Any]) -> str:
    inner = getattr(function, "func", function)
    return getattr(inner, "__qualname__", type(inner).__name__)
