"""A node's parameters against the signature of what its ``_target_`` names, read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.config.source import arguments_of
from harness.config.suggest import did_you_mean

NOT_PARAMETERS = ("_target_", "weight", "code")
_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}


def parameter_problems(key: str, node: Mapping[str, Any], tree: ast.Module, name: str) -> Iterator[Problem]:
    """Parameters that the component does not take, and values of another type than it says.

    Args:
        key: Where the node stands.
        node: The node, its interpolations resolved.
        tree: The source of the module that defines it.
        name: The component's name in it.
    """
    arguments = arguments_of(tree, name)
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
        elif not _fits(known[parameter], value):
            wanted = ast.unparse(known[parameter])  # type: ignore[arg-type]
            yield Problem(
                "wrong-type", f"{key}.{parameter}", f"{key}.{parameter}={value!r}: {wanted} is needed.", "", value
            )


def _fits(annotation: ast.expr | None, value: Any) -> bool:
    """Whether a plain value has the type of the annotation; anything where that is not a plain one."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _fits(annotation.left, value) or _fits(annotation.right, value)
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return value is None
    if not isinstance(annotation, ast.Name) or annotation.id not in _TYPES:
        return True
    if isinstance(value, bool):
        return annotation.id == "bool"
    return isinstance(value, _TYPES[annotation.id])
