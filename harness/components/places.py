"""Where a component is defined, and whether two objects are one definition that was run again."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import CellType, CodeType
from typing import Any

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def full_name(component: Any) -> str:
    """``module.name``; of an object without a name, that of its class."""
    named = component if hasattr(component, "__qualname__") else type(component)
    return f"{named.__module__}.{named.__qualname__}"


def place_of(component: Any) -> str:
    """``full_name (file:line)``; the name alone where no Python code is behind it."""
    code = code_of(component)
    return f"{full_name(component)} ({code.co_filename}:{code.co_firstlineno})" if code else full_name(component)


def code_of(component: Any) -> CodeType | None:
    """The code of a function, of what a wrapper or partial calls, or of a class's first method."""
    while isinstance(component, functools.partial):
        component = component.func
    component = inspect.unwrap(component)
    parts = [component, *(vars(component).values() if inspect.isclass(component) else ())]
    for part in parts:
        code = getattr(getattr(part, "__func__", part), "__code__", None)
        if isinstance(code, CodeType):
            return code
    return None


def is_again(new: Any, old: Any) -> bool:
    """Whether an object takes the place of another one of its name, as the same definition run again.

    So it is with a module that is reloaded and with a cell of a notebook, edited or not. It is not so with another
    definition in the file, one in a file of the same name, or the next one that a loop makes with other values.
    """
    if new is old:
        return True
    codes = code_of(new), code_of(old)
    if full_name(new).rpartition(".")[2] != full_name(old).rpartition(".")[2] or None in codes:
        return full_name(new) == full_name(old)
    return _is_rerun(new, old, *codes)  # type: ignore[arg-type]


def _is_rerun(new: Any, old: Any, code: CodeType, before: CodeType) -> bool:
    if not Path(code.co_filename).is_file():  # a notebook or the interpreter's prompt
        return True
    if Path(code.co_filename).resolve() != Path(before.co_filename).resolve():
        return False
    if code is before:  # a module that is run again has other ones
        return not inspect.isclass(new) and all(map(_is_same, _held(new), _held(old)))
    lines = [_start(each, full_name(new).rpartition(".")[2]) for each in (code, before)]
    return None in lines or lines[0] == lines[1]


def _held(function: Any) -> list[Any]:
    """What tells functions of one code apart: bound values, defaults, what a closure holds."""
    if isinstance(function, functools.partial):
        return [*function.args, *function.keywords.values(), *_held(function.func)]
    defaults = [
        *(getattr(function, "__defaults__", None) or ()),
        *(getattr(function, "__kwdefaults__", None) or {}).values(),
    ]
    cells = [_content(cell) for cell in getattr(function, "__closure__", None) or ()]
    return [getattr(function, "__self__", None), *defaults, *cells]


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not bound yet
        return None


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, (int, float, str)) and type(one) is type(other) and one == other)


def _start(code: CodeType, name: str) -> int | None:
    """Where the definition of this name that holds the code begins; None where the file has none any more."""
    holding = [start for start, end in _spans(Path(code.co_filename), name) if start <= code.co_firstlineno <= end]
    return max(holding, default=None)


def _spans(file: Path, name: str) -> Iterator[tuple[int, int]]:
    try:
        tree = ast.parse(file.read_text())
    except (OSError, SyntaxError, UnicodeDecodeError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and name == "<lambda>":
            yield node.lineno, node.end_lineno or node.lineno
        elif isinstance(node, DEFINITIONS) and node.name == name:
            yield min([node.lineno, *(each.lineno for each in node.decorator_list)]), node.end_lineno or node.lineno
