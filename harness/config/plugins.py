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

from harness.components.kinds import KINDS, Kind
from harness.config.tree import PACKAGE
from harness.errors import ConfigurationError

DECORATOR = "register_"


@dataclass(frozen=True)
class Declared:
    """A component that a module's source registers.

    Attributes:
        kind: Its kind.
        name: The name it is registered under.
        target: Its dotted name.
        where: File and line.
        parameters: Parameters with a literal default.
        base: What an algorithm builds on.
        help: The first line of its docstring.
    """

    kind: Kind
    name: str
    target: str
    where: str
    parameters: dict[str, Any] = field(default_factory=dict)
    base: str = "grpo"
    help: str = ""


def list_in(key: str, overrides: Sequence[str]) -> list[str]:
    """The list that overrides give a key, as ``plugins=[a,b]``; the last one wins."""
    found: list[str] = []
    for text in overrides:
        if text.lstrip("+").startswith(f"{key}="):
            value = OverridesParser.create().parse_override(text).value()
            found = [str(item) for item in (value if isinstance(value, list) else [value])]
    return found


def declared_components(plugins: Sequence[str], project: Path) -> list[Declared]:
    """Every component that the plugins and the project's experiments register.

    Raises:
        ConfigurationError: A plugin cannot be found, a file cannot be read as Python, or two have one name.
    """
    found = []
    for module in plugins:
        found += list(_declared(_module_file(module, project), module))
    for root in dict.fromkeys((project.resolve(), PACKAGE.parent)):
        for file in sorted(root.glob("experiments/**/*.py")):
            module = ".".join(file.relative_to(root).with_suffix("").parts)
            if module not in plugins and DECORATOR in file.read_text():
                found += list(_declared(file, module))
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
    raise ConfigurationError(
        f"plugins: there is no module {module} in {project} or on Python's path.", "Check its spelling."
    )


def _declared(file: Path, module: str) -> Iterator[Declared]:
    try:
        tree = ast.parse(file.read_text())
    except SyntaxError as error:
        raise ConfigurationError(f"{file}:{error.lineno} is no valid Python: {error.msg}.") from error
    for node in tree.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            kind = KINDS.get(_last_name(call.func if call else decorator).removeprefix(DECORATOR))
            if call is not None and kind is not None:
                arguments = _literals(call)
                yield Declared(
                    kind,
                    str(arguments.get("name") or node.name),
                    f"{module}.{node.name}",
                    f"{file.name}:{node.lineno}",
                    _defaults(node),
                    str(arguments.get("base", "grpo")),
                    (ast.get_docstring(node) or "").split("\n")[0],
                )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _literals(call: ast.Call) -> dict[str, Any]:
    given = dict(zip(("name", "base"), call.args, strict=False)) | {word.arg: word.value for word in call.keywords}
    return {name: value.value for name, value in given.items() if isinstance(value, ast.Constant) and name}


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
            found[name.arg] = ast.literal_eval(value)
        except ValueError:
            continue  # an expression; the component's own default holds
    return found
