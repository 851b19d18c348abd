"""Which was better, by how much, is that noise, and what exactly differed: ``harness compare``.

from harness.compare import compare, Options
study = compare(["outputs/mine/sweep-…"], Options(metric="acc"))
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = ("compare", "Options", "Study")

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'harness.compare' has no attribute {name!r}")
    return getattr(import_module("harness.compare.study"), name)
