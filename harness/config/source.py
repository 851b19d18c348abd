"""What a module's source says about it, read without running it."""

from __future__ import annotations

import ast
from importlib.util import find_spec
from pathlib import Path


def module_source(module: str) -> str | None:
    """The module's source: parents are looked up as folders, not imported. None where there is no such module."""
    parts = module.split(".")
    root = find_spec(parts[0])
    for folder in (root.submodule_search_locations if root else None) or []:
        base = Path(folder).joinpath(*parts[1:])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path.read_text()
    return Path(root.origin).read_text() if root and root.origin and len(parts) == 1 else None


def names_in(source: str) -> list[str]:
    """Classes, functions, variables and imported names."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.ImportFrom):
            names += [alias.asname or alias.name for alias in node.names]
    return names


def class_named(tree: ast.Module, name: str) -> ast.ClassDef | None:
    """The class of this name at the top of a module."""
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), None)


def methods_of(node: ast.ClassDef) -> set[str]:
    """The methods a class defines itself."""
    return {item.name for item in node.body if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef))}


def arguments_of(tree: ast.Module, name: str) -> ast.arguments | None:
    """The parameters of a function, or of a class's own constructor; None where they stand elsewhere."""
    for node in tree.body:
        if getattr(node, "name", None) != name:
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node.args
        if isinstance(node, ast.ClassDef):
            own = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
            return own[0].args if own else None
    return None
