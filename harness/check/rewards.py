"""Rewards: what each function weighs, and the number by which dynamic sampling tells groups apart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup
from harness.config.suggest import did_you_mean

METRIC = "algorithm.filter_groups.metric"
OUR_REWARDS, OUR_MANAGERS = "harness.rewards.", "harness.reward_managers."
Tree = Mapping[str, Any]


def reward_problems(tree: Tree) -> Iterator[Problem]:
    """Weights that are no numbers, and a metric that no response will have.

    Args:
        tree: The resolved configuration.
    """
    for name, node in (tree.get("reward_fn") or {}).items():
        weight = node.get("weight", 1.0) if isinstance(node, Mapping) else 1.0
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not math.isfinite(weight):
            key = f"reward_fn.{name}.weight"
            yield Problem("wrong-type", key, f"{key}={weight!r}: a finite number is needed.", "", weight)
    yield from _metric(tree)


def _metric(tree: Tree) -> Iterator[Problem]:
    metric, known = lookup(tree, METRIC), _noted(tree)
    if not lookup(tree, "algorithm.filter_groups.enable"):
        return
    if not metric:
        yield Problem(
            "missing", METRIC, f"{METRIC}: algorithm.filter_groups.enable=true needs one.", f"Set {METRIC}=acc."
        )
    elif known and metric not in known:
        message = f"{METRIC}={metric}: reward_manager and reward_fn note no such number beside the reward."
        yield Problem("unknown-name", METRIC, message, did_you_mean(str(metric), known), metric)


def _noted(tree: Tree) -> list[str]:
    """What every response is noted with; empty where a component that is not ours may note anything."""
    functions = tree.get("reward_fn") or {}
    targets = [str(node.get("_target_")) for node in functions.values()]
    manager = str(lookup(tree, "reward_manager._target_") or "")
    if not manager.startswith(OUR_MANAGERS) or not all(target.startswith(OUR_REWARDS) for target in targets):
        return []
    several = [f"reward_fn/{name}" for name in functions] if len(functions) > 1 else []
    penalty = ["overlong_penalty"] if manager.endswith(".OverlongRewardManager") else []
    return ["reward", "acc", *several, *penalty]
