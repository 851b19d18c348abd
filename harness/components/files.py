"""Components in a Python file named by its path: ``/home/me/algos.py:advantage``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from harness.errors import ComponentError

MARK = ".py:"
PREFIX = "harness_file_"


def split_target(target: str) -> tuple[Path, str] | None:
    """The file and the name in it, or None for a dotted name."""
    path, mark, name = target.partition(MARK)
    return (Path(f"{path}.py"), name) if mark else None


def module_name(path: Path) -> str:
    """The name under which a file's module is known in a process."""
    return f"{PREFIX}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"


def path_of(module: str) -> Path | None:
    """The file that a module of this process was loaded from by its path, or None for any other module."""
    file = getattr(sys.modules.get(module), "__file__", None) if module.startswith(PREFIX) else None
    return Path(file) if file else None


def module_from(path: Path, key: str) -> ModuleType:
    """Run a file as a module, once in a process.

    Raises:
        ComponentError: There is no such file, or it raises.
    """
    name = module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ComponentError(f"{key}: there is no Python file {path}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ComponentError(f"{key}: {path} could not be run: {type(error).__name__}: {error}") from error
    return module
