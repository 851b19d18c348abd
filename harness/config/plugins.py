"""Components that a user's own modules register, found by reading their source: nothing is imported to find a name.

Modules are those of ``plugins=[…]`` and every ``experiments/**/*.py`` of the project. Each decorated name becomes an
option of its group, with the component's parameters and their defaults.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from harness.components.kinds import KINDS, Kind
from harness.config.suggest import did_you_mean
from harness.config.tree import PACKAGE
from harness.errors import ConfigurationError

DECORATOR = "register_"
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Declared:
    """A component that a module's source registers.

    Attributes:
        kind: Its kind.
        name: The name it is registered under.
        target: Its dotted name.
        where: File and line, from the project's folder if it lies in there.
        file: The file.
        parameters: Parameters with a literal default.
        base: What an algorithm builds on.
        help: The first line of its docstring.
    """

    kind: Kind
    name: str
    target: str
    where: str
    file: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    base: str = "grpo"
    help: str = ""


def list_in(key: str, overrides: Sequence[str]) -> list[str]:
    """The list that overrides give a key, as ``plugins=[a,b]``; the last one wins."""
    found: list[str] = []
    for text in overrides:
        if text.lstrip("+").startswith(f"{key}="):
            try:
                value = OverridesParser.create().parse_override(text).value()
            except HydraException:
                continue  # composing says what is wrong with it
            found = [str(item) for item in (value if isinstance(value, list) else [value])]
    return found


def declared_components(plugins: Sequence[str], project: Path) -> list[Declared]:
    """Every component that the plugins and the project's experiments register.

    Raises:
        ConfigurationError: A plugin cannot be found, a file cannot be read as Python, or two have one name.
    """
    found = []
    for module in plugins:
        found += list(_declared(_module_file(module, project), module, project))
    for root in dict.fromkeys((project.resolve(), PACKAGE.parent)):
        for file in sorted(root.glob("experiments/**/*.py")):
            module = ".".join(file.relative_to(root).with_suffix("").parts)
            if module not in plugins and DECORATOR in file.read_text():
                found += list(_declared(file, module, project))
    taken: dict[tuple[str, str], Declared] = {}
    for each in found:
        other = taken.setdefault((each.kind.name, each.name), each)
        if other is not each:
            kind = each.kind.name.replace("_", " ")
            raise ConfigurationError(
                f"{each.where}: the {kind} {each.name!r} is registered at {other.where} too.",
                "Choose another name.",
            )
    return found


def _module_file(module: str, project: Path) -> Path:
    import sys

    parts = module.split(".")
    for folder in (project, *map(Path, sys.path)):
        base = folder.joinpath(*parts)
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path
    here = [path.stem for path in project.glob("*.py")]
    if module.endswith(".py"):
        remedy = f"Leave out .py: plugins=[{module.removesuffix('.py').replace('/', '.')}]."
    else:
        remedy = did_you_mean(module, here) if "." not in module else ""
    raise ConfigurationError(
        f"plugins: there is no module {module} in {project} or on Python's path.", remedy or "Check its spelling."
    )


def unseen_registration(plugins: Sequence[str], project: Path, group: str, name: str) -> str | None:
    """Where a plugin registers a component inside a function, a loop or an ``if``: what comes of that it does not tell.

    Args:
        plugins: Modules.
        project: The user's project.
        group: The group.
        name: The name that is looked for; a place that gives it as text comes first.

    Returns:
        File and line; None where there is no such place.
    """
    found = []
    for module in plugins:
        file = _module_file(module, project)
        tree = _parsed(file)
        for node in ast.walk(tree):
            for kind, arguments, _ in _registrations(node) if node not in tree.body else ():
                text = arguments[0].value if arguments and isinstance(arguments[0], ast.Constant) else None
                if kind.group == group:
                    found.append((text != name, _where(file, project, getattr(node, "lineno", 0))))
    return min(found)[1] if found else None


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text())
    except SyntaxError as error:
        raise ConfigurationError(f"{file}:{error.lineno} is no valid Python: {error.msg}.") from error


def _where(file: Path, project: Path, line: int) -> str:
    inside = file.resolve().is_relative_to(project.resolve())
    return f"{file.resolve().relative_to(project.resolve()) if inside else file}:{line}"


def _declared(file: Path, module: str, project: Path) -> Iterator[Declared]:
    tree = _parsed(file)
    last = {node.name: node for node in tree.body if isinstance(node, DEFINITIONS)}
    for node in tree.body:
        if not isinstance(node, DEFINITIONS):
            continue
        for kind, arguments, called in _registrations(node):
            each = _component(node, called, arguments, kind, module, file, _where(file, project, node.lineno))
            if last[node.name] is not node:
                raise ConfigurationError(
                    f"{each.where}: {node.name}, registered as {each.name!r}, is defined again in line "
                    f"{last[node.name].lineno}, and {each.target} would name that one.",
                    "Give one of them another name.",
                )
            yield each


def _registrations(node: ast.AST) -> Iterator[tuple[Kind, list[ast.expr], ast.Call | None]]:
    """The kinds that a definition's decorators register it as, each with the arguments that follow and the call."""
    for decorator in node.decorator_list if isinstance(node, DEFINITIONS) else ():
        called = decorator if isinstance(decorator, ast.Call) else None
        word = _last_name(called.func if called else decorator)
        kind = KINDS.get(word.removeprefix(DECORATOR)) if word.startswith(DECORATOR) else None
        arguments = list(called.args) if called else []
        if word == "register" and arguments and isinstance(arguments[0], ast.Constant):
            kind, arguments = KINDS.get(str(arguments[0].value)), arguments[1:]
        if kind is not None:
            yield kind, arguments, called


def _component(
    node: Definition,
    call: ast.Call | None,
    arguments: list[ast.expr],
    kind: Kind,
    module: str,
    file: Path,
    where: str,
) -> Declared:
    if call is None:
        raise ConfigurationError(f"{where}: @{DECORATOR}{kind.name} needs parentheses: @{DECORATOR}{kind.name}().")
    given = dict(zip(("name", "base"), arguments, strict=False)) | {word.arg: word.value for word in call.keywords}
    texts = {name: value.value for name, value in given.items() if isinstance(value, ast.Constant)}
    if "name" in given and not isinstance(texts.get("name"), str):
        raise ConfigurationError(f"{where}: the name of a registered component must stand there as text.")
    if kind.name == "algorithm" and "base" in given and not isinstance(texts.get("base"), str):
        raise ConfigurationError(f"{where}: the base of a registered algorithm must stand there as text.")
    parameters = _defaults(node)
    if kind.name == "reward_function" and "weight" in parameters:
        raise ConfigurationError(
            f"{where}: the weight of a reward function is not its own: call the parameter otherwise."
        )
    return Declared(
        kind=kind,
        name=str(texts.get("name") or node.name),
        target=f"{module}.{node.name}",
        where=where,
        file=file,
        parameters=parameters,
        base=str(texts.get("base") or "grpo"),
        help=(ast.get_docstring(node) or "").split("\n")[0],
    )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _defaults(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> dict[str, Any]:
    """Parameters with a literal default, of the function or of the class's constructor."""
    if isinstance(node, ast.ClassDef):
        own = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
        return _defaults(own[0]) if own else {}
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    pairs += [(name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    found = {}
    for name, value in reversed(pairs):
        try:
            default = ast.literal_eval(value)
        except ValueError:
            continue  # an expression; the component's own default holds
        if isinstance(default, (bool, int, float, str, list, dict, type(None))):  # what YAML can say
            found[name.arg] = default
    return found
