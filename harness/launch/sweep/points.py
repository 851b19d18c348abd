"""From the words of `harness train -m` to the points of a sweep, as Hydra's basic sweeper reads them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


@dataclass(frozen=True)
class Point:
    """One combination of values.

    Attributes:
        words: Its overrides, whole.
        differs: Those of its words that not every point has, such as ``("algorithm=dapo", "seed=2")``.
    """

    words: tuple[str, ...]
    differs: tuple[str, ...]

    @property
    def label(self) -> str:
        """Its name, short enough for a table: ``algorithm=dapo lr=1e-06 seed=2``."""
        pairs = [word.lstrip("+").partition("=") for word in self.differs]
        keys = _short([key for key, _, _ in pairs])
        return " ".join(f"{key}={value}" for key, (_, _, value) in zip(keys, pairs, strict=True)) or "run"


def _short(keys: Sequence[str]) -> list[str]:
    """The ends of dotted keys that tell them apart: ``lr``, or ``actor.optim.lr`` beside ``critic.optim.lr``."""
    for parts in range(1, max((key.count(".") for key in keys), default=0) + 2):
        short = [".".join(key.split(".")[-parts:]) for key in keys]
        if len(set(short)) == len(short):
            return short
    return list(keys)


def expand(words: Sequence[str]) -> list[Point]:
    """Every combination of the values that words list with commas, ``choice``, ``range`` or ``glob``.

    Raises:
        ConfigurationError: A word is no override, or sweeps over an interval, which has no points of its own.
    """
    axes = [_values(word) for word in words]
    points = []
    for combination in itertools.product(*axes):
        differs = tuple(word for word, values in zip(combination, axes, strict=True) if len(values) > 1)
        points.append(Point(tuple(combination), differs))
    return points


def _values(word: str) -> list[str]:
    """The words that one stands for."""
    try:
        (override,) = OverridesParser.create().parse_overrides([word])
    except HydraException as error:
        said = str(error).strip().splitlines()[0]
        raise ConfigurationError(f"{word}: {said}.", "Write key=value, or key=a,b for several.") from error
    if not override.is_sweep_override():
        return [word]
    if not override.is_discrete_sweep():
        raise ConfigurationError(
            f"{word}: an interval has no points of its own.",
            "List values, or add hydra/sweeper=optuna, which draws from it.",
        )
    return _discrete(override, word)


def _discrete(override: Override, word: str) -> list[str]:
    values = list(override.sweep_string_iterator())
    if not values:
        raise ConfigurationError(f"{word}: it has no values.", "Write key=a,b.")
    return list(dict.fromkeys(f"{override.get_key_element()}={value}" for value in values))
