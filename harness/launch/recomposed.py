"""What overrides mean for a run on record: what they would have changed in its command, done to its configuration.

A recorded configuration is resolved: it no longer says that ``data.seed`` follows ``seed``. So the words of then are
composed without and with the overrides, and what comes out otherwise is taken over. What the record holds in another
way than those words give it (from a file of the user's, or from YAML that has changed since) stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from harness.config.compose import compose_config, resolved_tree
from harness.config.fingerprint import PLACES
from harness.config.words import quoted
from harness.errors import ConfigurationError
from harness.launch.changes import recorded_config
from harness.records.run_folder import RunFolder

Tree = dict[str, Any]
NOT_THERE = object()


def recomposed(run: RunFolder, overrides: Sequence[str]) -> DictConfig:
    """A run's configuration as if the overrides had stood in its command: groups, and what follows from a value, too.

    Args:
        run: The run.
        overrides: As for `harness.config.compose.compose_config`.

    Raises:
        ConfigurationError: A word means nothing, or its trust is not given again.
    """
    words = recorded_words(run)
    tree: Any = OmegaConf.to_container(recorded_config(run, [word for word in overrides if _is_trust(word)]))
    if all(map(_is_trust, overrides)):
        return OmegaConf.create(tree)
    places = [f"{key}={quoted(str(tree[key]))}" for key in ("run_id", "run_dir") if tree.get(key)]
    try:
        before = resolved_tree(compose_config([*words, *places]))
        after = resolved_tree(compose_config([*words, *places, *overrides]))
    except ConfigurationError:  # values of keys that came from elsewhere can be set all the same
        return recorded_config(run, overrides)
    asked = {word.lstrip("+~").partition("=")[0] for word in overrides}
    _take_over(tree, before, after, asked - _groups(after, asked), "")
    return OmegaConf.create(tree)


def recorded_words(run: RunFolder) -> list[str]:
    """The overrides of its command."""
    return list(yaml.safe_load(run.overrides.read_text()) or []) if run.overrides.is_file() else []


def _is_trust(word: str) -> bool:
    return word.startswith(("trusted_modules=", "plugins="))


def _groups(tree: Tree, asked: set[str]) -> set[str]:
    """Those that name a section, such as ``algorithm``, and so no single value."""
    return {key for key in asked if isinstance(OmegaConf.select(OmegaConf.create(tree), key), DictConfig)}


def _take_over(tree: Tree, before: Tree, after: Tree, asked: set[str], path: str) -> None:
    for name in before.keys() | after.keys():
        key = f"{path}.{name}".lstrip(".")
        one, other = before.get(name, NOT_THERE), after.get(name, NOT_THERE)
        mine = tree.get(name, NOT_THERE)
        if isinstance(one, dict) and isinstance(other, dict) and isinstance(mine, dict):
            _take_over(mine, one, other, asked, key)
        elif key in asked or (one != other and mine == one and (key not in PLACES)):
            if other is NOT_THERE:
                tree.pop(name, None)
            else:
                tree[name] = other
