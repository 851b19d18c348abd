"""Where the run's folder would be made: a name that can name it, and a place that may be written to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.check.problem import Problem
from harness.errors import ConfigurationError
from harness.records.run_folder import plain_name


def run_place_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Of ``name``, ``run_id`` and ``output_root``. A run is no problem to itself: it may be there already."""
    for key in ("name", "run_id"):
        value = tree.get(key)
        if isinstance(value, str):
            try:
                plain_name(key, value)
            except ConfigurationError as error:
                yield Problem("no-folder-name", key, error.message, error.remedy, value)
    root = Path(str(tree.get("output_root")))
    there = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        why = "may not be written to" if there.is_dir() else "is no folder"
        yield Problem(
            "no-place", "output_root", f"output_root={root}: {there} {why}.",
            "Give a folder that you may write to: output_root=PATH.", str(root),
        )  # fmt: skip
