"""What exists in the tree beside or instead of a name that does not, for suggestions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.components import registered
from harness.config.catalogue import catalogue
from harness.config.plugins import list_in, unseen_registration
from harness.errors import ConfigurationError

MOST_SUGGESTED = 3


@dataclass(frozen=True)
class Names:
    """Looks names up in compositions without the overrides that went wrong.

    Args:
        compose: From overrides to a configuration.
        overrides: Those that were given.
    """

    compose: Callable[[Sequence[str]], DictConfig]
    overrides: Sequence[str]

    def beside(self, key: str) -> list[str]:
        """The names beside a dotted key that an override gave."""
        others = [text for text in self.overrides if text.lstrip("+~").split("=", 1)[0].split("@")[0] != key]
        return [] if len(others) == len(self.overrides) else names_beside(self.compose(others), key)

    def ending_in(self, leaf: str) -> list[str]:
        """The dotted keys whose last part is ``leaf``; none where they are many."""
        groups = [text for text in self.overrides if "." not in text.partition("=")[0] and not text.startswith(leaf)]
        if len(groups) == len(self.overrides):
            return []  # no override gave it: the composition would fail again
        try:
            tree = OmegaConf.to_container(self.compose(groups))
        except ConfigurationError:
            return []
        found = [key for key in _dotted(tree) if key.rpartition(".")[2] == leaf]
        return found if len(found) <= MOST_SUGGESTED else []

    def options(self, group: str) -> list[str]:
        """The options of a group, those of the plugins and of this process included."""
        here = [each.name for each in registered.everything() if each.kind.group == group]
        return [*catalogue(list_in("plugins", self.overrides)).get(group, {}), *here]

    def unseen(self, group: str, name: str) -> str | None:
        """Where a plugin registers a component of this group in a way that reading its source does not show."""
        return unseen_registration(list_in("plugins", self.overrides), Path.cwd(), group, name)


def names_beside(config: DictConfig, key: str) -> list[str]:
    """The names beside a dotted key in a configuration."""
    parent = key.rpartition(".")[0]
    node = OmegaConf.select(config, parent) if parent else config
    return [str(name) for name in node] if isinstance(node, DictConfig) else []


def _dotted(tree: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield f"{prefix}{key}"
            yield from _dotted(value, f"{prefix}{key}.")
