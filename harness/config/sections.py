"""The parts of the tree that every training reads have to be there, and sections have to be sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

# this project's own keys; those of scoring are checked where it is built
OWN: dict[str, Any] = dict.fromkeys(
    ("seed", "name", "output_root", "run_id", "run_dir", "trusted_modules", "plugins", "overlong_filtering")
) | {name: {} for name in ("scoring", "sweep", "manager", "reward_manager", "reward_fn", "advantage_fn", "policy_loss")}
MAY_BE_EMPTY = ("algorithm_steps", "prepare")


def broken_sections(config: DictConfig, engines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with keys that are gone, or hold a value in place of a section.

    Args:
        config: A composition.
        engines: verl's own configuration for each engine: what all have in common has to be there.
    """
    yield from _broken(config, {**_common(engines), **OWN}, "")
    for name in MAY_BE_EMPTY:
        value = config._get_node(name, validate_access=False)
        if value is not None and not (isinstance(value, DictConfig) or value._is_none()):
            yield f"{name}={value}: a section is needed."
    for group in ("reward_fn", "prepare"):
        named = config._get_node(group, validate_access=False)
        for name in named if isinstance(named, DictConfig) and not named._is_none() else ():
            node = named._get_node(name)
            if node._is_none() or (isinstance(node, DictConfig) and not node._is_missing()):
                continue
            if group == "reward_fn" or not node._is_missing():  # a recipe that is missing is told with what reads it
                yield f"{group}.{name}={node}: a section with a _target_ is needed."


def _common(trees: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first, *others = trees
    return {
        name: _common([tree[name] for tree in trees])
        if all(isinstance(tree[name], Mapping) for tree in trees)
        else None
        for name in first
        if all(name in tree for tree in others)
    }


def _broken(config: DictConfig, usual: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, default in usual.items():
        key = f"{prefix}{name}"
        value = config._get_node(name, validate_access=False)
        if value is None:
            yield f"{key} is not in the configuration any more, and the training reads it."
        elif isinstance(default, Mapping):
            if value._is_interpolation():
                continue
            if not isinstance(value, DictConfig) or value._is_none():
                yield f"{key}={value}: a section is needed."
            else:
                yield from _broken(value, default, f"{key}.")
