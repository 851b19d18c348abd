"""The user's own components as options in Hydra's store: those that modules register, and those of this process."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.config_store import ConfigStore

from harness.components import registered
from harness.components.kinds import KINDS, option_node, package
from harness.config.bases import require_base
from harness.config.catalogue import option_file
from harness.config.in_process import own_options
from harness.config.plugins import Declared
from harness.errors import ConfigurationError

PROVIDER = "plugin "  # begins the names of those who put in what belongs to one composition


def store_components(declared: Sequence[Declared]) -> None:
    """Make each an option of its group; those of an earlier composition in this process go.

    Args:
        declared: What modules register (`harness.config.plugins.declared_components`).

    Raises:
        ConfigurationError: One has the name of an option or of another one, or builds on no algorithm.
    """
    store = ConfigStore.instance()
    for kind in KINDS.values():
        for name, node in list(store.repo.get(kind.group, {}).items()):
            if str(getattr(node, "provider", "")).startswith(PROVIDER):
                del store.repo[kind.group][name]
    for each in declared:
        _require_sound(each, declared)
        node = option_node(each.kind, each.name, each.target, each.parameters, each.base)
        where, provider = package(each.kind, each.name), PROVIDER + each.where
        store.store(group=each.kind.group, name=each.name, node=node, package=where, provider=provider)
    for here, node in own_options(declared):
        where, provider = package(here.kind, here.name), PROVIDER + here.name
        store.store(group=here.kind.group, name=here.name, node=node, package=where, provider=provider)


def _require_sound(each: Declared, declared: Sequence[Declared]) -> None:
    group = each.kind.group
    file = option_file(group, each.name)
    if file is not None:
        raise ConfigurationError(
            f"{each.where} registers {each.name!r}, but {group}={each.name} is the option {file}.",
            "Choose another name.",
        )
    if each.kind is KINDS["algorithm"]:
        others = {other.name for other in declared if other.kind is each.kind} | {*registered.of_kind(each.kind.name)}
        require_base(f"{each.where}: the algorithm {each.name!r}", each.name, each.base, others)
