"""Configurations that differ in plain values alone: composed once, then changed in place.

Composing takes a fifth of a second, setting a value a fraction of a millisecond. What a value may decide while a
configuration is composed (groups, trust, a custom component's module) is no plain value, and composed each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from harness.config.compose import compose_config
from harness.config.origins import Origins, is_group

DECIDES_COMPOSITION = ("plugins", "trusted_modules")


@dataclass(frozen=True)
class Plain:
    """A word that gives a key a plain value."""

    key: str
    value: Any


@lru_cache(4096)
def plain_value(word: str) -> Plain | None:
    """The key and value of a word such as ``seed=1``; None where it chooses, adds, removes or merges something."""
    key = word.partition("=")[0]
    if is_group(key) or key in DECIDES_COMPOSITION or not key.replace("_", "").replace(".", "").isalnum():
        return None
    (override,) = OverridesParser.create().parse_overrides([word])
    value = override.value()
    return None if isinstance(value, (dict, list)) else Plain(key, value)


def frame(words: Sequence[str], differs: Sequence[str]) -> tuple[str, ...]:
    """The words without the plain values among those that differ: what has to be composed."""
    return tuple(plain.key if word in differs and (plain := plain_value(word)) else word for word in words)


class Variants:
    """One composition, and others that have the same `frame`.

    Args:
        words: Of the first.
        differs: Those in which the others may differ from it.

    Raises:
        ConfigurationError: The first does not compose.
    """

    def __init__(self, words: Sequence[str], differs: Sequence[str]) -> None:
        self._config = compose_config(words)
        self._origins = Origins(tuple(words), Path.cwd())
        plain = [value for word in differs if (value := plain_value(word))]
        self._in_place = all(self._is_leaf(value.key) and _alone(value.key, words) for value in plain)

    @contextmanager
    def at(self, words: Sequence[str], differs: Sequence[str]) -> Iterator[tuple[DictConfig, Origins]]:
        """The configuration that these words compose to, and where its values come from.

        It is the same object each time, and theirs for the time of a ``with`` block alone.
        """
        if not self._in_place:
            yield compose_config(words), Origins(tuple(words), Path.cwd())
            return
        plain = [value for word in differs if (value := plain_value(word))]
        with values_in(self._config, {value.key: value.value for value in plain}):
            yield self._config, self._origins.with_words(tuple(words))

    def _is_leaf(self, key: str) -> bool:
        """Whether the key is there and holds no section, so that a value takes the place of a value."""
        node = _node(self._config, key)
        return node is not None and not OmegaConf.is_config(node)


@contextmanager
def values_in(config: DictConfig, values: dict[str, Any]) -> Iterator[None]:
    """Give keys other values for the time of a ``with`` block."""
    before = {key: _node(config, key)._value() for key in values}  # with interpolations as they are written
    try:
        _set(config, values)
        yield
    finally:
        _set(config, before)


def _set(config: DictConfig, values: dict[str, Any]) -> None:
    with open_dict(config):
        for key, value in values.items():
            OmegaConf.update(config, key, value)


def _node(config: DictConfig, key: str) -> Any:
    """The node itself, not what it refers to; None where there is none."""
    node: Any = config
    for name in key.split("."):
        if not isinstance(node, DictConfig) or node._is_interpolation() or node._is_none() or node._is_missing():
            return None
        node = node._get_node(name, validate_access=False)
    return node


def _alone(key: str, words: Sequence[str]) -> bool:
    """Whether no other word sets the key, a part of it or what it is a part of."""
    others = [word.lstrip("+~").partition("=")[0] for word in words]
    return sum(other == key or f"{other}.".startswith(f"{key}.") or f"{key}.".startswith(f"{other}.")
               for other in others) == 1  # fmt: skip
