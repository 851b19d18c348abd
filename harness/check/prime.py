"""PRIME's steps: what they oversample, filter and update against the rest of the configuration."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.advantage import PRIME_STEPS
from harness.check.parameters import parameter_problems
from harness.check.problem import Problem
from harness.check.values import lookup
from harness.config.source import home_of, module_source

FILTER, FILTER_MODULE, FILTER_CLASS = "algorithm_steps.filter", "harness.backend.prime.online_filter", "OnlineFilter"
Tree = Mapping[str, Any]


def prime_problems(tree: Tree) -> Iterator[Problem]:
    """Combinations that cannot work.

    Args:
        tree: The resolved configuration.
    """
    yield from _oversampling(tree)
    yield from _process_reward_batches(tree)
    if lookup(tree, "algorithm_steps._target_") == PRIME_STEPS:
        yield from _online_filter(lookup(tree, FILTER) or {})


def _online_filter(given: Mapping[str, Any]) -> Iterator[Problem]:
    """The parameters of the filter's class, and whether its two bounds are a range."""
    home = home_of(FILTER_MODULE, FILTER_CLASS, module_source(FILTER_MODULE) or "")
    found = list(parameter_problems(FILTER, {**given, "_target_": FILTER_CLASS}, home)) if home else []
    yield from found
    least, most = given.get("min_accuracy", 0.0), given.get("max_accuracy", 1.0)
    if not found and least > most:
        message = f"{FILTER}: min_accuracy={least} and max_accuracy={most} are no range of accuracies."
        yield Problem("algorithm", FILTER, message, "Choose 0 ≤ min_accuracy ≤ max_accuracy ≤ 1.")


def _process_reward_batches(tree: Tree) -> Iterator[Problem]:
    """verl fills a step's rows up to whole mini-batches of every model, and trains on the filling."""
    mini, batch = lookup(tree, "algorithm_steps.mini_batch_size"), lookup(tree, "data.train_batch_size")
    policys = lookup(tree, "actor_rollout_ref.actor.ppo_mini_batch_size")
    if isinstance(mini, int) and mini > 0 and batch % math.lcm(mini, policys):
        yield Problem(
            "algorithm",
            "algorithm_steps.mini_batch_size",
            f"algorithm_steps.mini_batch_size={mini}: with ppo_mini_batch_size={policys} whole mini-batches of both do "
            f"not make up data.train_batch_size={batch}.",
            f"Use {policys}, or a number whose least common multiple with it divides {batch}.",
        )


def _oversampling(tree: Tree) -> Iterator[Problem]:
    oversample = lookup(tree, "algorithm_steps.oversample") or 1
    if oversample == 1:
        return
    mode, filtering = lookup(tree, "trainer.v1.trainer_mode"), lookup(tree, "algorithm.filter_groups.enable")
    if mode != "sync" or filtering:
        what = "algorithm.filter_groups.enable=true" if filtering else f"trainer.v1.trainer_mode={mode}"
        yield Problem(
            "algorithm",
            "algorithm_steps.oversample",
            f"algorithm_steps.oversample={oversample} chooses among all prompts of a step; {what} does not await them.",
            "Set algorithm_steps.oversample=1, or trainer.v1.trainer_mode=sync without algorithm.filter_groups.",
        )
