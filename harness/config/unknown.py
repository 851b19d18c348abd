"""Keys of a file that nothing reads: Hydra lets files add keys, so a misspelt one would be without effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig

from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError

OPEN = ("reward_fn", "prepare")  # sections whose keys are names the user gives


def unknown_keys(base: DictConfig, tree: Mapping[str, Any], prefix: str = "") -> Iterator[ConfigurationError]:
    """Every key of ``tree`` that a composition without it does not have.

    Args:
        base: That composition.
        tree: What a file says.
        prefix: Where ``tree`` stands, with a dot at its end.
    """
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if key == "defaults" or key in OPEN:
            continue
        if name not in base:
            if len(base):  # an empty node takes what one gives it, such as engine_kwargs
                yield ConfigurationError(
                    f"{key} is not a key of the configuration.", did_you_mean(str(name), [str(n) for n in base])
                )
            continue
        below = base._get_node(name)
        if isinstance(value, Mapping) and isinstance(below, DictConfig) and below._is_none() is False:
            yield from unknown_keys(below, value, f"{key}.")
