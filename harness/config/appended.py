"""verl's ``+key=value``: an override that adds a key goes on working where the harness has set that key itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.config.search_path import load_yaml
from harness.config.tree import verl_trainer_configs


def added_or_set(overrides: Sequence[str]) -> list[str]:
    """The overrides with ``+`` as ``++`` for keys under verl's sections that verl's own configuration has not got.

    ``+actor_rollout_ref.model.override_config.attn_implementation=sdpa`` is what verl's scripts write; to Hydra alone
    it would be an error here, where the device's option has set the key before.
    """
    if not any(_appends(word) for word in overrides):
        return list(overrides)
    trees = [load_yaml(path) for path in verl_trainer_configs().values()]
    return [f"+{word}" if _appends(word) and _lacked(word, trees) else word for word in overrides]


def _appends(word: str) -> bool:
    return word.startswith("+") and not word.startswith("++")


def _lacked(word: str, trees: Sequence[Any]) -> bool:
    section, *path = word[1:].partition("=")[0].split(".")
    if not path or not any(section in tree for tree in trees):
        return False
    return not any(_has(tree, [section, *path]) for tree in trees)


def _has(node: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]
    return True
