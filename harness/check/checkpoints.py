"""Saves that would never come to their end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup

KEYS = ("actor_rollout_ref.actor.checkpoint.async_save", "critic.checkpoint.async_save")


def checkpoint_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Saving in the background: verl's V1 trainer starts it and nothing ends it, and its tracker is left out.

    Args:
        tree: The resolved configuration.
    """
    for key in KEYS:
        if lookup(tree, key):
            message = f"{key}=true: verl's V1 trainer never ends such a save, so no run could go on from it."
            yield Problem("checkpoint", key, message, "Leave it false.", True)
