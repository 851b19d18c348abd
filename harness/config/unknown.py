"""Keys of a file that nothing reads: Hydra lets files add keys, so a misspelt one would be without effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig

from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError

# sections whose keys are names the user gives, and verl's that are handed on as they are
OPEN = ("reward_fn", "prepare", "ray_kwargs.ray_init", "reward.reward_model.rollout")
OPEN_NAMES = ("override_config", "engine_kwargs", "reward_kwargs", "apply_chat_template_kwargs")


def unknown_keys(base: DictConfig, tree: Mapping[str, Any], prefix: str = "") -> Iterator[ConfigurationError]:
    """Every key of ``tree`` that a composition without it does not have.

    Args:
        base: That composition.
        tree: What a file says.
        prefix: Where ``tree`` stands, with a dot at its end.
    """
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if key == "defaults" or key in OPEN or name in OPEN_NAMES:
            continue
        if name not in base:
            if len(base):  # an empty node takes what one gives it, such as engine_kwargs
                yield ConfigurationError(
                    f"{key} is not a key of the configuration.", did_you_mean(str(name), [str(n) for n in base])
                )
            continue
        below = base._get_node(name)
        if not isinstance(value, Mapping) or not isinstance(below, DictConfig) or below._is_none():
            continue
        if ("_target_" not in value and below.get("_target_") is None) or str(below.get("_target_")).startswith(
            "verl."
        ):
            yield from unknown_keys(below, value, f"{key}.")


def nested(key: str, value: Any) -> dict[str, Any]:
    """A dotted key's value as a tree."""
    for name in reversed(key.split(".")):
        value = {name: value}
    return value
