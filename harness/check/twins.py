"""Stand-ins for components, with the signatures that their source gives them: what asks a component asks them too.

So `harness.components.kinds`, which says what each kind must look like, is asked before anything is imported.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.components import by_value
from harness.components.files import split_target
from harness.config.source import Home, file_source, home_of, module_source, source_of

_MISSING = inspect.Parameter.empty


def named_by(node: Mapping[str, Any], trusted: Sequence[str] = ()) -> Any:
    """What a node's ``_target_`` names: its stand-in, or by value the object itself.

    Args:
        node: With ``_target_``: a dotted name or a file's ``PATH.py:NAME``.
        trusted: The trusted modules, without which nothing travels by value.

    Returns:
        None where there is no target, or the source alone does not tell.
    """
    target = str(node.get("_target_") or "")
    if target == by_value.TARGET:
        return by_value.decode(str(node["code"])) if by_value.TRUST in trusted else None
    file = split_target(target)
    module, name = (str(file[0]), file[1]) if file else target.rpartition(".")[::2]
    source = file_source(file[0]) if file else module_source(module) if module else None
    try:
        home = home_of(module, name, source) if source is not None else None
    except SyntaxError:  # told by `harness.check.targets`
        return None
    return twin_of(home) if home else None


def twin_of(home: Home) -> Any:
    """A function or class with the same parameters, methods and plain constants.

    Args:
        home: Where the component is defined.

    Returns:
        The stand-in; None where the source alone does not tell, as with a decorator or a base class from elsewhere.
    """
    node = next(
        (item for item in (home.tree.body if home.tree else ()) if getattr(item, "name", "") == home.name), None
    )
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return None if _changed_by(node) else _function(node)
    return _class(node, home) if isinstance(node, ast.ClassDef) else None


def _changed_by(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a decorator may give it another signature; those that register or mark do not."""
    names = [
        ast.unparse(each.func if isinstance(each, ast.Call) else each).split(".")[-1] for each in node.decorator_list
    ]
    return any(not name.startswith(("register", "looks_at_data")) and name != "staticmethod" for name in names)


def _class(node: ast.ClassDef, home: Home) -> type | None:
    if _changed_by(node):
        return None  # a dataclass's constructor is not in its source
    bases = [_base(base, home) for base in node.bases]
    if any(base is None for base in bases) or node.keywords:
        return None
    methods = {
        item.name: _function(item) for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    constants = {
        item.targets[0].id: ast.literal_eval(item.value)
        for item in node.body
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name) and _is_literal(item.value)
    }
    given = (base for base in bases if base is not None and base is not object)
    return type(node.name, tuple(given), {**constants, **methods})


def _is_literal(node: ast.expr) -> bool:
    """Whether it is a constant, or a tuple of some."""
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Tuple) and all(map(_is_literal, node.elts)))


def _base(node: ast.expr, home: Home) -> type | None:
    """A base class's stand-in, from wherever it is defined: ``Base`` or ``module.Base``."""
    if not isinstance(node, (ast.Name, ast.Attribute)):
        return None
    *modules, name = ast.unparse(node).split(".")
    if name in ("object", "ABC", "Protocol"):
        return object
    module = home.module
    source = source_of(home)
    if modules:
        first = home_of(module, modules[0], source)
        module = ".".join([first.module, *modules[1:]]) if first and not first.name else ""
        source = module_source(module) or "" if module else ""
    found = home_of(module, name, source)
    twin = twin_of(found) if found and found.tree and found != home else None
    return twin if isinstance(twin, type) else None


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Callable[..., None]:
    def twin(*arguments: Any, **named: Any) -> None:
        """Never called."""

    twin.__signature__ = signature(node.args)  # type: ignore[attr-defined]
    twin.__name__ = node.name
    return twin


def _annotation(argument: ast.arg) -> Any:
    """The type of a parameter as its source writes it."""
    return ast.unparse(argument.annotation) if argument.annotation else _MISSING


def signature(arguments: ast.arguments) -> inspect.Signature:
    """Names, kinds, types as texts, and whether there is a default; what the default is does not matter."""
    positional = [*arguments.posonlyargs, *arguments.args]
    given = len(positional) - len(arguments.defaults)
    parameters = [
        inspect.Parameter(
            each.arg,
            inspect.Parameter.POSITIONAL_ONLY
            if each in arguments.posonlyargs
            else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=_MISSING if number < given else None,
            annotation=_annotation(each),
        )
        for number, each in enumerate(positional)
    ]
    if arguments.vararg:
        parameters.append(inspect.Parameter(arguments.vararg.arg, inspect.Parameter.VAR_POSITIONAL))
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        kind = inspect.Parameter.KEYWORD_ONLY
        given_default = _MISSING if default is None else None
        parameters.append(inspect.Parameter(each.arg, kind, default=given_default, annotation=_annotation(each)))
    if arguments.kwarg:
        parameters.append(inspect.Parameter(arguments.kwarg.arg, inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)
