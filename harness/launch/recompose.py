"""What a run's words compose to with further ones: as if those had been given when it began.

Values that a composition derives from others follow them. What the words do not explain stays as recorded: values set
in Python or by a resume, and what was detected on another machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict

from harness.components.kinds import KINDS
from harness.config.catalogue import option_file
from harness.config.compose import compose_config, resolved_tree
from harness.config.fingerprint import placeless
from harness.config.hydra_words import is_hydras
from harness.config.origins import is_group
from harness.errors import ConfigurationError
from harness.launch.changes import TRUST, require_trust
from harness.records.provenance import read_provenance
from harness.records.run_folder import RunFolder

OWN = ("run_id", "run_dir", "output_root")  # a new run gets its own
DETECTED = {"device": "trainer.device", "rollout": "actor_rollout_ref.rollout.name"}  # group → where its option stands
COMPONENTS = frozenset(kind.group for kind in KINDS.values()) - {"algorithm"}  # sections that are chosen whole
GONE = object()  # in the record there is no such key
Key = tuple[str, ...]


@dataclass(frozen=True)
class Recomposed:
    """A composition for a new run.

    Attributes:
        config: With its interpolations, without a place of its own.
        words: That stand for it in the record.
        given: What a file in place of an experiment said; None where there was none.
        kept: Keys that have their recorded values though no word says so.
    """

    config: DictConfig
    words: list[str]
    given: dict[str, Any] | None = None
    kept: tuple[str, ...] = ()


class Begun:
    """A run's words composed again, with the rest of its record beside them.

    Args:
        run: The run; the current folder has the YAML that it was composed of.

    Raises:
        ConfigurationError: Its words do not compose any more.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        recorded: Any = OmegaConf.to_container(OmegaConf.load(run.config))
        self._given = yaml.safe_load(run.given.read_text()) if run.given.is_file() else None
        self._words, config = _with_detected(_recorded_words(run), self._given, recorded)
        self._plain: Any = OmegaConf.to_container(config, resolve=False)
        with open_dict(config):
            config.update({key: recorded.get(key) for key in OWN})
        self._moved = _places(run)
        self._kept = _adopt(config, recorded, self._moved)

    @property
    def is_explained(self) -> bool:
        """Whether the words say how models and data are made, whose folders follow from that."""
        return not any(key[0] == "prepare" and (len(key) <= 2 or key[-1] == "path") for key in self._kept)

    def again(self, overrides: Sequence[str]) -> Recomposed:
        """Compose it with further words, which win.

        Raises:
            ConfigurationError: They are wrong, or it is made of modules that they do not trust.
        """
        later = {word.partition("=")[0] for word in overrides}
        earlier = [word for word in self._words if word.partition("=")[0] not in later]
        if "cluster" in later:  # another one has other keys
            earlier = [word for word in earlier if not word.lstrip("+~").startswith("cluster.")]
        words = [*earlier, *overrides]
        config = compose_config(words, experiment=self._given)
        require_trust(self.run, config.trusted_modules, overrides, self._moved)
        said = [word for word in overrides if not word.startswith(TRUST)]
        stays = [key for key in self._kept if _stays(key, config, self._plain, said)]
        for key in stays:
            _put(config, key, self._kept[key])
        return Recomposed(config, words, self._given, tuple(".".join(key) for key in stays))


def _recorded_words(run: RunFolder) -> list[str]:
    if not run.overrides.is_file():
        raise ConfigurationError(f"it has no {run.overrides.name}.")
    return [str(word) for word in yaml.safe_load(run.overrides.read_text()) or [] if not is_hydras(str(word))]


def _with_detected(
    words: list[str], given: Mapping[str, Any] | None, recorded: Mapping[str, Any]
) -> tuple[list[str], DictConfig]:
    """The words and what they compose to, those before them that choose what was detected on the run's machine."""
    config = compose_config(words, experiment=given)
    chosen = {word.partition("=")[0] for word in words}
    detected = []
    for group, key in DETECTED.items():
        option = str(_at(recorded, tuple(key.split("."))))
        if group not in chosen and option != OmegaConf.select(config, key) and option_file(group, option):
            detected.append(f"{group}={option}")
    words = [*detected, *words]
    return words, compose_config(words, experiment=given) if detected else config


def _adopt(config: DictConfig, recorded: dict[str, Any], moved: Callable[[Any], Any]) -> dict[Key, Any]:
    """Give a composition the values of the record; returns those that it did not have.

    Plain values come first, and references only where what they refer to agrees: most of them follow.
    """
    then = moved(placeless(recorded))
    found: dict[Key, Any] = {}

    def adopt(paths: Sequence[Key]) -> None:
        for path in paths:
            found[path] = _at(recorded, path)
            _put(config, path, found[path])

    raw: Any = OmegaConf.to_container(config, resolve=False)
    adopt([path for path, now in _differing(raw, moved(placeless(raw)), then) if "${" not in str(now)])
    while True:
        raw = OmegaConf.to_container(config, resolve=False)
        tree = resolved_tree(config)
        left = [path for path, _ in _differing(raw, moved(placeless(tree)), then) if path not in found]
        if not left:
            return found
        keys = [".".join(path) for path in left]
        first = [path for path in left if not _refers(str(_at(raw, path)), keys)]
        adopt(first or left)


def _differing(raw: Any, now: Any, then: Any, path: Key = ()) -> Iterator[tuple[Key, Any]]:
    """The paths of values that the record has otherwise, each with the value now; a referring section is one value."""
    if not (isinstance(raw, dict) and isinstance(now, dict) and isinstance(then, dict)):
        if now != then:
            yield path, now
        return
    for name, value in then.items():
        if name in now:
            yield from _differing(raw[name], now[name], value, (*path, str(name)))
        else:
            yield (*path, str(name)), None
    if path and path[0] in COMPONENTS:
        yield from (((*path, str(name)), None) for name in now if name not in then)


def _refers(text: str, keys: Sequence[str]) -> bool:
    """Whether an interpolation reads one of the keys, or a section that holds it."""
    names = re.findall(r"[\w.]+", text) if "${" in text else []
    return any(key == name or key.startswith(f"{name}.") for name in names for key in keys)


def _stays(path: Key, config: DictConfig, before: Mapping[str, Any], said: Sequence[str]) -> bool:
    """Whether a recorded value stays beside the words that were said now: none of them gives or chooses it."""
    key = ".".join(path) + "."
    for name in [word.lstrip("+~").partition("=")[0] for word in said]:
        if not is_group(name) and (key.startswith(f"{name}.") or f"{name}.".startswith(key)):
            return False
    now: Any = OmegaConf.to_container(config, resolve=False)
    return isinstance(_at(now, path[:-1]), dict) and _at(now, path) == _at(before, path)


def _places(run: RunFolder) -> Callable[[Any], Any]:
    """A function that takes the project's folder out of a value: the code of then may lie in another one."""
    folders = [f"{folder}/" for folder in (read_provenance(run).get("folder"), Path.cwd()) if folder]

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(item) for key, item in value.items()}
        if isinstance(value, list):
            return [without(item) for item in value]
        folder = next((each for each in folders if isinstance(value, str) and value.startswith(each)), "")
        return value.removeprefix(folder) if folder else value

    return without


def _at(tree: Any, path: Key) -> Any:
    for name in path:
        if not isinstance(tree, Mapping) or name not in tree:
            return GONE
        tree = tree[name]
    return tree


def _put(config: DictConfig, path: Key, value: Any) -> None:
    node: Any = config
    for name in path[:-1]:
        node = node._get_node(name)
    with open_dict(config):
        if value is GONE:
            del node[path[-1]]
        else:
            node[path[-1]] = value
