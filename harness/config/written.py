"""A plain verl-shaped file in place of an experiment: what it asks for, where each key lives now, and its line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.classic import OLD_SECTIONS, experiment_from, new_place, read_file
from harness.config.compose import compose_config
from harness.config.gives_way import giving_way
from harness.config.origins import key_lines
from harness.config.search_path import load_yaml
from harness.config.tree import verl_trainer_configs

if TYPE_CHECKING:
    from omegaconf import DictConfig

CLIP = "actor_rollout_ref.actor.clip_ratio"  # translated: the low and the high one take its value
OF_A_MAPPING = "the configuration given"


def compose_written(overrides: Sequence[str], file: str | None) -> DictConfig:
    """Compose the overrides, over a file where there is one.

    Raises:
        ConfigurationError: As `harness.config.compose.compose_config`, or the file holds a key without a meaning.
    """
    return compose_config(overrides, experiment=experiment_from(file) if file else None)


def written_keys(config: str | Path | Mapping[str, Any] | None, words: Sequence[str] = ()) -> dict[str, str]:
    """The keys that a file (or mapping) gives another value than verl's own, and where.

    A file is often verl's whole tree with some values changed: what it repeats, it does not ask for.

    Args:
        config: What `harness.config.classic.experiment_from` takes; None gives nothing.
        words: The overrides beside it: what gives way to them is not asked for either.

    Returns:
        ``{"actor_rollout_ref.actor.grad_clip": "run.yaml:12", …}``.

    Raises:
        ConfigurationError: As `harness.config.classic.experiment_from`.
    """
    if config is None:
        return {}
    values = experiment_from(config)
    if isinstance(config, Mapping):
        tree, where = dict(config), dict.fromkeys(_keys(config), OF_A_MAPPING)
    else:
        tree, path = read_file(Path(config)), Path(config)
        where = {key: f"{config}:{line}" for key, line in key_lines(path).items()}
    defaults = [load_yaml(path) for path in verl_trainer_configs().values()]
    found = {}
    lost = {CLIP, *(key for _, key, _ in giving_way(words, values))}
    for key in _keys(tree):
        moved = key.partition(".")[0] in OLD_SECTIONS
        if key in lost or (moved and _value(tree, key) is None):
            continue
        new = new_place(key) if moved else key
        if all(_value(values, new) != _value(default, new) for default in defaults):
            found[new] = where.get(key, str(config))  # a key that an anchor brings has no line
    return found


def _keys(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """The dotted keys of the values."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _value(tree: Mapping[str, Any], key: str) -> Any:
    node: Any = tree
    for name in key.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
