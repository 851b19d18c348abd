"""What a module's source says about it, read without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

LONGEST_CHAIN = 8  # re-exports that are followed


@dataclass(frozen=True)
class Home:
    """Where an object is defined.

    Attributes:
        module: The module's dotted name.
        name: The object's name in it; empty for a module itself.
        tree: The module's source; None where there is none to read.
    """

    module: str
    name: str
    tree: ast.Module | None


def module_source(module: str) -> str | None:
    """The module's source: parents are looked up as folders, not imported. None where there is no such module."""
    parts = module.split(".")
    try:
        root = find_spec(parts[0])
    except (ImportError, ValueError):
        return None
    for folder in (root.submodule_search_locations if root else None) or []:
        base = Path(folder).joinpath(*parts[1:])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return path.read_text()
    return Path(root.origin).read_text() if root and root.origin and root.has_location and len(parts) == 1 else None


def file_source(path: Path) -> str | None:
    """A file's source; None where there is none."""
    return path.read_text() if path.is_file() else None


def source_of(home: Home) -> str:
    """The source of the module, or file, in which an object is defined; empty where there is none to read."""
    return module_source(home.module) or (ast.unparse(home.tree) if home.tree else "")


@lru_cache(maxsize=256)
def parsed(source: str) -> ast.Module:
    """The source's tree; the same one is read many times in a check."""
    return ast.parse(source)


def home_of(module: str, name: str, source: str) -> Home | None:
    """Follow imports to the module that defines a name.

    Args:
        module: The module in which the name is looked up.
        name: The name.
        source: The module's source.

    Returns:
        Where it is defined; None where the module has no such name.
    """
    tree = parsed(source)
    for _ in range(LONGEST_CHAIN):
        step = _imported_as(tree, module, name)
        if step is None:
            return Home(module, name, tree) if name in _defined(tree) else None
        module, name = step
        found = module_source(f"{module}.{name}") if name else None
        if found is not None:  # a module that is imported by name
            return Home(f"{module}.{name}", "", parsed(found))
        source_of_next = module_source(module)
        if source_of_next is None or not name:
            return Home(module, name, None)
        tree = parsed(source_of_next)
    return Home(module, name, None)


def _imported_as(tree: ast.Module, module: str, name: str) -> tuple[str, str] | None:
    """The module and name that an import statement at any depth binds to this name."""
    for node in _imports(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _absolute(node, module), alias.name
                if alias.name == "*" and name in names_in(module_source(_absolute(node, module)) or ""):
                    return _absolute(node, module), name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname == name or (alias.asname is None and alias.name.partition(".")[0] == name):
                    return (alias.name if alias.asname else name), ""
    return None


def _absolute(node: ast.ImportFrom, module: str) -> str:
    if not node.level:
        return node.module or ""
    parent = module.split(".")
    parent = parent[: len(parent) - node.level] if module_source(module) is None or not _is_package(module) else (
        parent[: len(parent) - node.level + 1]
    )  # fmt: skip
    return ".".join([*parent, *([node.module] if node.module else [])])


def _is_package(module: str) -> bool:
    return module_source(f"{module}.__init__") is not None


@lru_cache(maxsize=256)
def _imports(tree: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.walk(tree) if isinstance(node, (ast.ImportFrom, ast.Import))]


@lru_cache(maxsize=256)
def _defined(tree: ast.Module) -> list[str]:
    """Classes, functions and variables."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
    return names


def names_in(source: str) -> list[str]:
    """Classes, functions, variables and imported names."""
    tree = parsed(source)
    bound = [alias.asname or alias.name for node in _imports(tree) for alias in node.names]
    return [*_defined(tree), *(name for name in bound if name != "*")]


def arguments_of(tree: ast.Module, name: str) -> ast.arguments | None:
    """The parameters of a function, or of a class's own or dataclass's constructor; None where they stand elsewhere."""
    for node in tree.body:
        if getattr(node, "name", None) != name:
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return node.args
        if isinstance(node, ast.ClassDef):
            own = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
            return own[0].args if own else _fields_of(node)
    return None


def _fields_of(node: ast.ClassDef) -> ast.arguments | None:
    """A dataclass's fields as parameters, where it inherits none."""
    if node.bases or not any("dataclass" in ast.unparse(each) for each in node.decorator_list):
        return None
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
    named = [ast.arg(item.target.id, item.annotation) for item in fields if isinstance(item.target, ast.Name)]
    return ast.arguments(posonlyargs=[], args=named, kwonlyargs=[], kw_defaults=[], defaults=[])
