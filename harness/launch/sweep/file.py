"""A sweep's file, ``conf/sweep/NAME.yaml``: axes, seeds, conditions and named points, chosen by ``sweep=NAME``.

    overrides: [experiment=quickstart_tiny]       # of every run
    axes:
      algorithm: [grpo, dapo, prime]
      actor_rollout_ref.actor.optim.lr: [1e-4, 3e-4]
    seeds: 3                                      # 1, 2, 3; or a list
    conditions:
      - when: {algorithm: prime}                  # runs that have this value, or one of a list
        axes: {algorithm.prime_beta: [0.05, 0.1]}
        overrides: [trainer.total_epochs=4]
    exclude:
      - {algorithm: dapo, actor_rollout_ref.actor.optim.lr: 3e-4}
    points:                                       # beside the grid, with every seed
      baseline: {algorithm: ppo}

What the command says wins: ``seed=1`` or ``algorithm=grpo,rloo`` takes the place of an axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.config.catalogue import catalogue, option_file
from harness.config.explain import explain_yaml
from harness.config.suggest import did_you_mean
from harness.config.words import as_value
from harness.errors import ConfigurationError

GROUP = "sweep"
TRUST = ("trusted_modules", "plugins")  # given by the command alone


@dataclass(frozen=True)
class Condition:
    """What is added to the runs that have certain values.

    Attributes:
        when: Key → the values, as words have them, one of which a run has.
        words: Axes and overrides that those runs get.
    """

    when: dict[str, list[str]]
    words: list[str]

    def holds(self, words: Sequence[str]) -> bool:
        """Whether a run with these words has such values."""
        given = {word.lstrip("+").partition("=")[0]: word.partition("=")[2] for word in words}
        return all(
            key in given and _plain(given[key]) in [_plain(value) for value in values]
            for key, values in self.when.items()
        )

    def __str__(self) -> str:
        return ", ".join(f"{key}={','.join(values)}" for key, values in self.when.items())


@dataclass(frozen=True)
class SweepFile:
    """What a file says.

    Attributes:
        shared: Words of every run.
        axes: Words of the grid, such as ``algorithm=grpo,dapo``.
        seeds: The word of the seeds; empty without.
        conditions: What some runs get beside it.
        exclude: Combinations that are left out.
        points: Name → its words.
    """

    shared: list[str] = field(default_factory=list)
    axes: list[str] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    exclude: list[Condition] = field(default_factory=list)
    points: dict[str, list[str]] = field(default_factory=dict)


def _plain(text: str) -> str | float:
    """So that ``1e-4`` and ``0.0001`` are the same, as they are to Hydra."""
    try:
        return float(text)
    except ValueError:
        return text.strip("'\"")


def read_sweep_file(name: str) -> SweepFile:
    """The file of this name, the user's own before a shipped one.

    Raises:
        ConfigurationError: There is none, or it is not written as it should be.
    """
    path = option_file(GROUP, name)
    if path is None:
        raise ConfigurationError(
            f"sweep={name}: there is no conf/sweep/{name}.yaml.", did_you_mean(name, list(catalogue().get(GROUP, {})))
        )
    try:
        tree = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise ConfigurationError(*explain_yaml(error)) from error
    return _Reader(path).read(tree)


class _Reader:
    """Turns a file's tree into words, and says where it is wrong."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, tree: Any) -> SweepFile:
        parts = self.section("the file", tree, ("overrides", "axes", "seeds", "conditions", "exclude", "points"))
        points = self.section("points", parts.get("points"))
        return SweepFile(
            self.overrides("overrides", parts.get("overrides")),
            self.axes("axes", parts.get("axes")),
            self.seeds(parts.get("seeds")),
            list(self.conditions(parts.get("conditions"))),
            [Condition(self.values(f"exclude[{number}]", each), []) for number, each in self.items(parts, "exclude")],
            {str(name): self.point(f"points.{name}", each) for name, each in points.items()},
        )

    def conditions(self, given: Any) -> Iterator[Condition]:
        for number, each in self.items({"conditions": given}, "conditions"):
            where = f"conditions[{number}]"
            parts = self.section(where, each, ("when", "axes", "overrides"))
            words = self.axes(f"{where}.axes", parts.get("axes"))
            words += self.overrides(f"{where}.overrides", parts.get("overrides"))
            yield Condition(self.values(f"{where}.when", parts.get("when")), words)

    def section(self, where: str, given: Any, allowed: Sequence[str] = ()) -> Mapping[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise self.error(f"{where}: keys with values are needed, not {given!r}.")
        for key in given if allowed else ():
            if key not in allowed:
                raise self.error(f"{where}: there is no key {key!r}.", did_you_mean(str(key), allowed))
        return given

    def items(self, parts: Mapping[str, Any], name: str) -> list[tuple[int, Any]]:
        given = parts.get(name)
        if given is not None and not isinstance(given, list):
            raise self.error(f"{name}: a list is needed, not {given!r}.")
        return list(enumerate(given or ()))

    def overrides(self, where: str, given: Any) -> list[str]:
        words = [word for _, word in self.items({where: given}, where)]
        for word in words:
            if not isinstance(word, str) or "=" not in word:
                raise self.error(f"{where}: {word!r} is no override.", "Write key=value.")
            self.refuse_trust(where, word.partition("=")[0])
        return words

    def axes(self, where: str, given: Any) -> list[str]:
        words = []
        for key, values in self.section(where, given).items():
            self.refuse_trust(where, str(key))
            if not isinstance(values, list) or not values:
                raise self.error(f"{where}.{key}: a list of values is needed, not {values!r}.")
            words.append(f"{key}={','.join(as_value(value) for value in values)}")
        return words

    def point(self, where: str, given: Any) -> list[str]:
        if isinstance(given, list):
            return self.overrides(where, given)
        section = self.section(where, given)
        return self.overrides(where, [f"{key}={as_value(value)}" for key, value in section.items()])

    def seeds(self, given: Any) -> list[str]:
        if given is None:
            return []
        seeds = list(range(1, given + 1)) if isinstance(given, int) and not isinstance(given, bool) else given
        if not isinstance(seeds, list) or not seeds or not all(type(seed) is int for seed in seeds):
            raise self.error(f"seeds: a number of seeds or a list of them is needed, not {given!r}.")
        return [f"seed={','.join(map(str, seeds))}"]

    def values(self, where: str, given: Any) -> dict[str, list[str]]:
        section = self.section(where, given)
        if not section:
            raise self.error(f"{where}: it names no value.", "Write {key: value}.")
        listed = {key: value if isinstance(value, list) else [value] for key, value in section.items()}
        return {str(key): [as_value(value) for value in values] for key, values in listed.items()}

    def refuse_trust(self, where: str, key: str) -> None:
        if key.lstrip("+") in TRUST:
            raise self.error(f"{where}: {key} is given on the command line alone, never by a file.")

    def error(self, message: str, remedy: str = "") -> ConfigurationError:
        return ConfigurationError(f"{self.path}: {message}", remedy)
