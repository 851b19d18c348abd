"""Components that the user's modules register, chosen or not: each has to be of its kind.

Importing such a module raises where one is not, so a training would end there whichever of them it has chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.check.problem import Problem
from harness.check.targets import target_nodes
from harness.check.twins import twin_of
from harness.config.plugins import declared_components
from harness.config.source import Home, file_source, parsed


def plugin_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Registered components that do not fit; a warning where nothing of their module is chosen.

    Args:
        tree: The resolved configuration.
    """
    plugins = list(tree.get("plugins") or ())
    chosen = {str(node["_target_"]) for _, node in target_nodes(tree)}
    used = {target.rpartition(".")[0] for target in chosen} | set(plugins)
    for each in declared_components(plugins, Path.cwd()):
        module, _, name = each.target.rpartition(".")
        twin = twin_of(Home(module, name, parsed(file_source(each.file) or "")))
        wrong = each.kind.problem(twin) if twin is not None and each.target not in chosen else None  # else told there
        if wrong:
            kind = each.kind.name.replace("_", " ")
            message = f"{each.where}: {name}, registered as the {kind} {each.name!r}, does not fit: {wrong}."
            remedy, warning = "Mend it: the module cannot be imported as it is.", module not in used
            yield Problem("target", f"{each.kind.group}.{each.name}", message, remedy, warning=warning)
