"""Every ``_target_``, wherever it stands: trusted, there, of the right kind, given what it takes; from source alone.

verl builds what its own sections name as well, so the whole tree is walked and not only this project's groups.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.parameters import parameter_problems
from harness.check.problem import Problem
from harness.check.twins import twin_of
from harness.check.values import verl_defaults
from harness.components import by_value
from harness.components.files import split_target
from harness.components.instantiate import TRUSTED, instantiate, is_trusted
from harness.components.kinds import KINDS, kind_of
from harness.config.source import Home, file_source, home_of, module_source, names_in
from harness.config.suggest import did_you_mean
from harness.config.words import quoted
from harness.errors import ComponentError
from harness.reward_managers.per_sample import WeightedFunction

OUR_MANAGERS = "harness.reward_managers."
Tree = Mapping[str, Any]


def target_problems(tree: Tree) -> Iterator[Problem]:
    """Targets that are not trusted, not there, of another kind or wrongly called.

    Args:
        tree: The resolved configuration.
    """
    trusted = list(tree.get("trusted_modules") or ())
    passed = {*(str(node["_target_"]) for _, node in target_nodes(verl_defaults(tree)))}
    for key, node in target_nodes(tree):
        if node["_target_"] is not None and (kind_of(key) or str(node["_target_"]) not in passed):
            yield from _target(key, node, trusted)


def target_nodes(value: Any, key: str = "") -> Iterator[tuple[str, Tree]]:
    """Every mapping with a target, those in lists included."""
    if isinstance(value, Mapping):
        if "_target_" in value:
            yield key, value
        for name, item in value.items():
            yield from target_nodes(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from target_nodes(item, f"{key}[{number}]")


def _target(key: str, node: Tree, trusted: list[str]) -> Iterator[Problem]:
    target, where = node["_target_"], f"{key}._target_"
    if target == by_value.TARGET:
        return  # the component itself refuses it where it is not allowed

    def problem(message: str, remedy: str = "") -> Problem:
        return Problem("target", where, f"{where}: {message}", remedy, target)

    if not isinstance(target, str):
        yield problem(f"{target!r} is no dotted name.", "Write module.Name.")
        return
    file = split_target(target)
    module, _, name = (str(file[0]), "", file[1]) if file else target.rpartition(".")
    if not is_trusted(target, trusted):
        known = ", ".join([*(prefix[:-1] for prefix in TRUSTED), *trusted])
        asked = module if file else target.split(".")[0]
        remedy = f"If you trust it, add trusted_modules=[{quoted(asked)}] on the command line."
        yield problem(f"{target} is outside the trusted modules ({known}).", remedy)
        return
    source = file_source(file[0]) if file else module_source(module)
    if source is None:
        yield _through_a_module(problem, module, name, trusted) or problem(
            f"there is no module {module}.", "Check its spelling and where it lies."
        )
        return
    try:
        home = home_of(module, name, source)
    except SyntaxError as error:
        yield problem(f"{module} is not valid Python: {error.msg} in line {error.lineno}.")
        return
    if home is None:
        yield problem(f"{module} has no {name!r}.", did_you_mean(name, names_in(source)))
    elif not file and not is_trusted(f"{home.module}.", trusted):
        yield problem(f"{target} is defined in {home.module}, which is not trusted.", "Name one of a trusted module.")
    elif not home.name:
        yield problem(f"{target} is a module, not a class or function.")
    else:
        yield from _called(key, node, home, problem)


def _through_a_module(problem: Any, module: str, name: str, trusted: list[str]) -> Problem | None:
    """``harness.config.os.system``: what lies behind a name that a trusted module imported."""
    outer, _, inner = module.rpartition(".")
    source = module_source(outer) if outer else None
    home = home_of(outer, inner, source) if source else None
    if home is None or is_trusted(f"{home.module}.", trusted):
        return None
    said = f"{module}.{name} is reached through {outer} and defined in {home.module}, which is not trusted."
    return problem(said, "Name one of a trusted module.")


def _called(key: str, node: Tree, home: Home, problem: Any) -> Iterator[Problem]:
    twin, kind = twin_of(home), kind_of(key)
    wrong = kind.problem(twin) if twin is not None and kind else None
    if wrong:
        yield problem(f"{node['_target_']} does not fit: {wrong}.")
        return
    values = {parameter: value for parameter, value in node.items() if value != "???"}
    found = list(parameter_problems(key, values, home))
    yield from found
    if not found and kind is KINDS["reward_manager"] and home.module.startswith(OUR_MANAGERS):
        yield from _not_built(key, node)
    if inspect.isclass(twin) and kind:
        for name in _required(twin):
            if name not in node and name not in kind.given:
                message = f"{key}.{name}: {node['_target_']} needs it and nothing gives it."
                yield Problem("parameter", f"{key}.{name}", message, f"Add +{key}.{name}=VALUE.")


def _not_built(key: str, node: Tree) -> Iterator[Problem]:
    """What a manager of ours says against its parameters together; it needs nothing heavy to be built."""
    try:
        instantiate(node, key, functions=[WeightedFunction("none", lambda input_text, response_text: 0.0)])
    except ComponentError as error:
        yield Problem("parameter", error.message.partition("=")[0].partition(":")[0], error.message, error.remedy)


def _required(twin: type) -> list[str]:
    if "__init__" not in {name for base in twin.__mro__[:-1] for name in vars(base)}:
        return []
    parameters = list(inspect.signature(twin.__init__).parameters.values())[1:]  # type: ignore[misc]
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [each.name for each in parameters if each.kind in plain and each.default is each.empty]
