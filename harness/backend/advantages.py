"""The bridge to ``advantage_fn``: a component that sees the whole batch, in place of verl's estimator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from harness.components.kinds import reads_components_alone
from harness.errors import ComponentError
from harness.scoring.failures import FAILED


class MissingColumns(ComponentError):
    """An advantage function needs what a step's batch does not have."""


def call_advantage_fn(function: Callable[..., Any], batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Call an advantage function with those of the batch's fields that it names.

    Args:
        function: Takes any of ``token_level_rewards``, ``token_level_scores`` (before a KL penalty), ``response_mask``
            (also under its classic name ``eos_mask``), ``old_log_probs``, ``ref_log_prob``, ``rollout_log_probs``,
            ``values``, ``entropy``, ``process_rewards``: (rows, response length), float or int; ``index``: (rows,), an
            integer for each group; ``uid``, ``greedy_scores`` and every non-tensor field: (rows,) objects;
            ``reward_components``: the scores of each function of ``reward_fn``, name → (rows,), and
            ``reward_weights``, name → number; ``config``: the ``algorithm`` section.
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


def wants_greedy(function: Callable[..., Any] | None) -> bool:
    """Whether an advantage function names ``greedy_scores``, so that a greedy response to each prompt is generated."""
    return function is not None and "greedy_scores" in inspect.signature(function).parameters


def group_index(uid: np.ndarray) -> np.ndarray:
    """Group ids as integers, (rows,), in the order the groups first appear."""
    first_seen: dict[Any, int] = {}
    return np.array([first_seen.setdefault(group, len(first_seen)) for group in uid], dtype=np.int64)


def reward_components(batch: dict[str, Any], weights: Mapping[str, float]) -> dict[str, torch.Tensor]:
    """The score of each reward function, (rows,) float32, from what the reward manager noted beside the reward.

    Args:
        batch: The fields; ``extra_fields`` holds ``reward_extra_info`` for each row.
        weights: The functions of ``reward_fn`` and what each counts. A single one's is the reward over its weight.
    """
    if len(weights) == 1:
        ((name, weight),) = weights.items()
        return {name: batch["rm_scores"].sum(dim=1) / (weight or 1.0)}
    notes = _notes(batch)
    keys = {name: f"reward_fn/{name}" for name in weights}
    if not all(key in note for note in notes for key in keys.values()):
        return {}  # a reward manager of verl's or of the user's, which does not say
    return {name: torch.tensor([float(note[key]) for note in notes]) for name, key in keys.items()}


def require_nothing_else(function: Callable[..., Any], batch: dict[str, Any]) -> None:
    """Refuse a function that reads ``reward_components`` and not the rewards, where these hold more than their sum.

    A KL penalty in the reward, or what a reward manager adds to the functions' scores, would do nothing otherwise.

    Args:
        function: An advantage function.
        batch: Its fields, with ``token_level_rewards``, ``reward_components`` and ``reward_weights``.

    Raises:
        ComponentError: A response's reward is not the weighted sum of its functions' scores.
    """
    components, weights = batch["reward_components"], batch["reward_weights"]
    if not reads_components_alone(function) or not components:
        return
    reward_N = batch["token_level_rewards"].sum(dim=1)
    sum_N = torch.stack([weights[name] * scores_N for name, scores_N in components.items()]).sum(dim=0)
    other_N = ~torch.isclose(reward_N, sum_N, rtol=1e-4, atol=1e-5) & batch["response_mask"].any(dim=1)
    # the reward of a response that could not be scored is scoring.score, whatever the weights
    other_N &= torch.tensor([not note.get(FAILED) for note in _notes(batch)] or True)
    if other_N.any():
        row = int(other_N.int().argmax())
        raise ComponentError(
            f"advantage_fn: {_name(function)} reads the scores of reward_fn's functions alone, and the reward of "
            f"{int(other_N.sum())} responses is not their weighted sum, such as {reward_N[row]:.4g} for "
            f"{sum_N[row]:.4g}.",
            "Use reward_manager=per_sample, and algorithm.use_kl_in_reward=false; a function may be a penalty.",
        )


def _notes(batch: dict[str, Any]) -> list[dict[str, Any]]:
    return [(extra or {}).get("reward_extra_info") or {} for extra in batch.get("extra_fields", ())]


def _arguments(function: Callable[..., Any], available: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    # a column wins over a null: an option says that of every parameter whose default is None
    bound = {name: value for name, value in getattr(function, "keywords", {}).items() if value is not None}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return {name: value for name, value in available.items() if name not in bound}
    named = {p.name: available[p.name] for p in parameters if p.name in available and p.name not in bound}
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in named and p.name not in bound]
    if missing:
        raise MissingColumns(
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
    tensor = torch.where(mask > 0, tensor.detach().float(), 0.0)  # whatever stands outside the response
    if not torch.isfinite(tensor).all():
        raise ComponentError(f"{where} with NaN or infinite values.")
    return tensor


def _name(function: Callable[..., Any]) -> str:
    inner = getattr(function, "func", function)
    return getattr(inner, "__qualname__", type(inner).__name__)
