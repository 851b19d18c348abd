"""Options that this process has registered itself: a script that decorates a function also chooses it by its name.

Such an option holds a mark until it is chosen; then its node names the component where any process can import it, and
holds it by value where none can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, open_dict

from harness.components import by_value, registered
from harness.components.kinds import KINDS, option_node
from harness.components.places import code_of, place_of
from harness.components.registered import Registered
from harness.config.plugins import Declared
from harness.errors import ConfigurationError

MARK = "registered in this process: "


def own_options(declared: Sequence[Declared]) -> Iterator[tuple[Registered, dict[str, Any]]]:
    """What is registered here and its option, where reading the plugins' source has not found the same.

    Args:
        declared: What reading found.

    Raises:
        ConfigurationError: It has found another component of that kind and name.
    """
    found = {(each.kind.name, each.name): each for each in declared}
    for each in registered.everything():
        read = found.get((each.kind.name, each.name))
        if read is not None and not _is_same(each, read):
            kind, place = each.kind.name.replace("_", " "), place_of(each.component)
            raise ConfigurationError(
                f"{read.where}: the {kind} {each.name!r} is registered in this process too, by {place}.",
                "Choose another name.",
            )
        if read is None or by_value.importable(each.component) is None:  # reading would have the script run again
            target = f"{MARK}{each.kind.name} {each.name}"
            yield each, option_node(each.kind, each.name, target, each.parameters(), each.base)


def settle(config: DictConfig) -> None:
    """Let the nodes that were chosen stand for their components.

    Raises:
        ComponentError: One cannot leave this process.
    """
    for key, node in component_nodes(config):
        target = str(node.get("_target_") or "")
        if target.startswith(MARK):
            kind_name, name = target.removeprefix(MARK).split(" ", 1)
            described, trust = by_value.node_of(registered.of_kind(kind_name)[name].component, key)
            with open_dict(config):
                node.update(described)
                config.trusted_modules = list(dict.fromkeys((*config.trusted_modules, trust)))


def component_nodes(config: DictConfig) -> Iterator[tuple[str, DictConfig]]:
    """The nodes of components that a composition has chosen, by their keys."""
    places = {kind.group for kind in KINDS.values()} - {"reward_fn", "algorithm"}
    found: list[tuple[str, Any]] = [(key, config.get(key)) for key in sorted({*places, "algorithm_steps"})]
    functions = config.get("reward_fn")
    found += [(f"reward_fn.{name}", node) for name, node in functions.items()] if isinstance(functions, Mapping) else []
    return ((key, node) for key, node in found if isinstance(node, DictConfig))


def _is_same(here: Registered, read: Declared) -> bool:
    code = code_of(here.component)
    if by_value.importable(here.component) == read.target:
        return True
    return (
        code is not None
        and Path(code.co_filename).resolve() == read.file.resolve()
        and getattr(here.component, "__qualname__", "") == read.target.rpartition(".")[2]
    )
