"""Whether the advantages are made of all that they should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.ignored import penalises_overlong
from harness.check.problem import Problem
from harness.check.twins import named_by
from harness.check.values import lookup
from harness.components.kinds import reads_components_alone

Tree = Mapping[str, Any]


def advantage_problems(tree: Tree) -> Iterator[Problem]:
    """What the advantages would leave out.

    Args:
        tree: The resolved configuration.
    """
    function = named_by(tree.get("advantage_fn") or {}, tree.get("trusted_modules") or ())
    if function is not None:
        yield from _left_out(tree, function)


def _left_out(tree: Tree, function: Any) -> Iterator[Problem]:
    """Parts of the reward that are not in the scores of its functions, where the advantages are made of those alone."""
    if not reads_components_alone(function):
        return
    why = f"advantage_fn ({tree['advantage_fn']['_target_']}) reads the scores of reward_fn's functions alone"
    if lookup(tree, "algorithm.use_kl_in_reward"):
        key = "algorithm.use_kl_in_reward"
        yield Problem(
            "algorithm", key, f"{key}=true does nothing: {why}.", "Use actor_rollout_ref.actor.use_kl_loss=true."
        )
    if penalises_overlong(tree) and len(tree["reward_fn"]) > 1:
        yield Problem(
            "algorithm",
            "reward_manager",
            f"The penalty of reward_manager for long responses does nothing: {why}.",
            "Use reward_manager=per_sample, with the length as one of reward_fn, such as length.",
        )
