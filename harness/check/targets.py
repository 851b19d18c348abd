"""The ``_target_`` of every component: trusted, there, and given parameters that it takes; read from its source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.check.parameters import parameter_problems
from harness.check.problem import Problem
from harness.components import by_value
from harness.components.files import split_target
from harness.components.instantiate import TRUSTED, is_trusted
from harness.config.source import module_source, names_in
from harness.config.suggest import did_you_mean

COMPONENT_GROUPS = ("manager", "reward_manager", "advantage_fn", "policy_loss", "algorithm_steps")


def target_problems(config: DictConfig) -> Iterator[Problem]:
    """Targets that are not trusted, not there or wrongly called, in every component's node."""
    nodes = [(group, config.get(group)) for group in COMPONENT_GROUPS]
    nodes += [(f"reward_fn.{name}", node) for name, node in (config.get("reward_fn") or {}).items()]
    nodes += [(f"prepare.{name}", node) for name, node in (config.get("prepare") or {}).items()]
    for key, node in nodes:
        if node is not None and node.get("_target_"):
            yield from _target(key, node, list(config.trusted_modules))


def _target(key: str, node: DictConfig, trusted: list[str]) -> Iterator[Problem]:
    target = str(node["_target_"])
    if target == by_value.TARGET:
        return
    file = split_target(target)
    module, name = (str(file[0]), file[1]) if file else (target.rpartition(".")[0], target.rpartition(".")[2])
    if not is_trusted(target, trusted):
        known = ", ".join([*(prefix[:-1] for prefix in TRUSTED), *trusted])
        yield Problem(
            "target",
            f"{key}._target_",
            f"{key}._target_: {target} is outside the trusted modules ({known}).",
            f"If you trust it, add trusted_modules=[{module if file else target.split('.')[0]}] on the command line.",
        )
        return
    source = _file_source(file[0]) if file else module_source(module)
    if source is None:
        yield Problem(
            "target",
            f"{key}._target_",
            f"{key}._target_: there is no module {module}.",
            "Check its spelling and where it lies.",
        )
    elif name not in (names := names_in(source)):
        yield Problem(
            "target", f"{key}._target_", f"{key}._target_: {module} has no {name!r}.", did_you_mean(name, names)
        )
    else:
        values = {parameter: value for parameter, value in _values(node).items() if value != "???"}
        yield from parameter_problems(key, values, source, name)


def _values(node: DictConfig) -> dict[str, Any]:
    """The node's values; what cannot be resolved is somebody else's problem."""
    try:
        return OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException:
        return OmegaConf.to_container(node, resolve=False)


def _file_source(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None
