"""A node's parameters against the signature of what its ``_target_`` names, read from the source.

Annotations that say what a value may be: ``int``, ``float``, ``bool``, ``str``, ``None``, unions of them,
``Literal[…]``, ``Annotated[float, Ge(0)]`` with the bounds of annotated-types, and names that stand for one of these.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.config.source import Home, arguments_of, home_of, source_of
from harness.config.suggest import did_you_mean

NOT_PARAMETERS = ("_target_", "weight", "code")
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}
_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "gt": (operator.gt, "above"),
    "ge": (operator.ge, "of at least"),
    "lt": (operator.lt, "below"),
    "le": (operator.le, "of at most"),
}


def parameter_problems(key: str, node: Mapping[str, Any], home: Home) -> Iterator[Problem]:
    """Parameters that the component does not take, and values of another type or range than it says.

    Args:
        key: Where the node stands.
        node: The node, its interpolations resolved.
        home: Where the component is defined.
    """
    arguments = arguments_of(home.tree, home.name) if home.tree else None
    if arguments is None:  # imported from elsewhere, or inherits its constructor
        return
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    known = {each.arg: each.annotation for each in named if each.arg != "self"}
    for parameter, value in node.items():
        if parameter in NOT_PARAMETERS and parameter not in known:
            continue
        if parameter not in known:
            if arguments.kwarg is None:
                yield Problem(
                    "parameter",
                    f"{key}.{parameter}",
                    f"{key}.{parameter}: {node['_target_']} takes no parameter {parameter!r}.",
                    did_you_mean(str(parameter), list(known)),
                )
        elif not _fits(known[parameter], value, home):
            message = f"{key}.{parameter}={value!r}: {_words(known[parameter], home)} is needed."
            yield Problem("wrong-type", f"{key}.{parameter}", message, "", value)


def _fits(annotation: ast.expr | None, value: Any, home: Home) -> bool:
    """Whether a plain value is one that the annotation allows; anything where it says nothing about plain ones."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _fits(left, value, home) or _fits(right, value, home)
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id=name) if name in _TYPES:
            if isinstance(value, bool):
                return name == "bool"
            return isinstance(value, _TYPES[name]) and value == value  # NaN is no number
        case ast.Name(id=name):
            named = _named(name, home)
            return named is None or _fits(named[0], value, named[1])
        case ast.Subscript(value=head, slice=inside) if _last(head) == "Literal":
            return any(type(value) is type(each) and value == each for each in _literals(inside))
        case ast.Subscript(value=head, slice=ast.Tuple(elts=[inner, *bounds])) if _last(head) == "Annotated":
            return _fits(inner, value, home) and all(holds(value) for holds, _ in _bounds(bounds))
    return True


def _words(annotation: ast.expr | None, home: Home) -> str:
    """What the annotation allows."""
    match annotation:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return f"{_words(left, home)} | {_words(right, home)}"
        case ast.Name(id=name) if name not in _TYPES and (named := _named(name, home)):
            return _words(*named)
        case ast.Subscript(value=head, slice=inside) if _last(head) == "Literal":
            return f"one of {', '.join(map(str, _literals(inside)))}"
        case ast.Subscript(value=head, slice=ast.Tuple(elts=[inner, *bounds])) if _last(head) == "Annotated":
            return " ".join([_words(inner, home), " and ".join(words for _, words in _bounds(bounds))])
    return ast.unparse(annotation) if annotation else "anything"


def _named(name: str, home: Home) -> tuple[ast.expr, Home] | None:
    """What a name stands for where it is assigned, ``Rule = Literal[…]``; None for a class."""
    found = home_of(home.module, name, source_of(home))
    if found is None or found.tree is None:
        return None
    for node in found.tree.body:
        if isinstance(node, ast.Assign) and [getattr(each, "id", "") for each in node.targets] == [found.name]:
            return node.value, found
    return None


def _last(name: ast.expr) -> str:
    """``Literal`` of ``typing.Literal``."""
    return ast.unparse(name).rpartition(".")[2]


def _literals(inside: ast.expr) -> list[Any]:
    values = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    return [each.value for each in values if isinstance(each, ast.Constant)]


def _bounds(metadata: list[ast.expr]) -> Iterator[tuple[Callable[[Any], bool], str]]:
    """``Ge(0)`` and ``Interval(ge=0, le=1)``: whether a value keeps to each bound, and the bound in words."""
    for each in metadata:
        if not isinstance(each, ast.Call):
            continue
        name = _last(each.func)
        given = {name.lower(): argument for argument in each.args[:1]}
        given |= {str(keyword.arg): keyword.value for keyword in each.keywords} if name == "Interval" else {}
        for kind, argument in given.items():
            if kind in _BOUNDS and isinstance(argument, ast.Constant):  # a negative one is told by the component alone
                yield _bound(*_BOUNDS[kind], argument.value)


def _bound(compare: Callable[[Any, Any], bool], words: str, limit: Any) -> tuple[Callable[[Any], bool], str]:
    return lambda value: not isinstance(value, (int, float)) or compare(value, limit), f"{words} {limit}"
