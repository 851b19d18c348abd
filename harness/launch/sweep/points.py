"""From the words of `harness train -m` to the points of a sweep, as Hydra's basic sweeper reads them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from harness.config.words import short_keys
from harness.errors import ConfigurationError
from harness.launch.sweep.file import GROUP, SweepFile, read_sweep_file

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override


@dataclass(frozen=True)
class Point:
    """One combination of values.

    Attributes:
        words: Its overrides, whole.
        differs: Those of its words that not every point has, such as ``("algorithm=dapo", "seed=2")``.
        name: What a sweep's file calls it; empty for a point of a grid.
    """

    words: tuple[str, ...]
    differs: tuple[str, ...]
    name: str = ""

    @property
    def label(self) -> str:
        """Its name, short enough for a table: ``algorithm=dapo lr=1e-06 seed=2``."""
        pairs = [word.lstrip("+").partition("=") for word in self.differs]
        keys = short_keys([key for key, _, _ in pairs])
        shown = [f"{key}={value}" for key, (_, _, value) in zip(keys, pairs, strict=True)]
        return " ".join([*([self.name] if self.name else []), *shown]) or "run"


def expand(words: Sequence[str]) -> list[Point]:
    """Every point of the grid, and of the file that ``sweep=NAME`` names.

    Raises:
        ConfigurationError: A word is no override, or sweeps over an interval, which has no points of its own; or the
            file is not written as it should be.
    """
    names = [word.partition("=")[2] for word in words if word.startswith(f"{GROUP}=")]
    if not names:
        return grid(words)
    if len(names) > 1 or "," in names[0]:
        raise ConfigurationError(f"{GROUP}={','.join(names)}: one file at a time.", "Start a sweep for each.")
    points = list(_points_of(read_sweep_file(names[0]), [word for word in words if not word.startswith(f"{GROUP}=")]))
    if not points:
        raise ConfigurationError(f"{GROUP}={names[0]}: its conditions leave no run.")
    return points


def _points_of(file: SweepFile, command: Sequence[str]) -> Iterator[Point]:
    said = {_key(word) for word in command}
    seeds = [] if "seed" in said else file.seeds
    met = set[int]()
    if file.axes or not file.points:
        for point in grid([*_merged(file.shared, file.axes, command), *seeds]):
            holding = [each for each in file.conditions if each.holds(point.words)]
            further = [word for each in holding for word in each.words if _key(word) not in said]
            for finer in grid(further):
                words, differs = (tuple(_merged(each, finer.words)) for each in (point.words, point.differs))
                whole = Point(words, differs)
                leaving = [each for each in file.exclude if each.holds(whole.words)]
                met |= {id(each) for each in (*holding, *leaving)}
                if not leaving:
                    yield whole
    for rule in (*file.conditions, *file.exclude):
        if id(rule) not in met and said.isdisjoint(rule.when):
            raise ConfigurationError(
                f"{GROUP}: no run has {rule}, for which the file has a rule.", "Mend or remove it."
            )
    for name, own in file.points.items():
        for point in grid([*_merged(file.shared, own, command), *seeds]):
            yield Point(point.words, point.differs, name)


def _merged(*layers: Sequence[str]) -> list[str]:
    """Words of which a later layer's take the place of an earlier one's for the same key."""
    merged: list[str] = []
    for layer in layers:
        keys = {_key(word) for word in layer}
        merged = [*(word for word in merged if _key(word) not in keys), *layer]
    return merged


def _key(word: str) -> str:
    return word.lstrip("+").partition("=")[0]


def grid(words: Sequence[str]) -> list[Point]:
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
