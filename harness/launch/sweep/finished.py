"""Experiments that have been run to their end before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from harness.records.provenance import Provenance
from harness.records.run_folder import RunFolder
from harness.records.status import read_status


def finished_runs(root: Path) -> dict[tuple[str, int], str]:
    """Runs below a folder that are done: (fingerprint, seed) → folder."""
    found = {}
    for file in _provenances(root):
        try:
            about = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
        run = RunFolder(file.parent)
        if read_status(run).state == "done":
            found[(str(about.get("fingerprint")), int(about.get("seed") or 0))] = run.shown()
    return found


def same_code(run: str, now: Provenance) -> bool:
    """Whether a run was made with the code as it is: the same commit and the same changes to it."""
    folder = RunFolder(Path(run))
    try:
        code = json.loads(folder.provenance.read_text())["code"]
        return code["commit"] == now.common["code"]["commit"] and folder.code_diff.read_bytes() == now.diff.patch
    except (OSError, ValueError, KeyError):
        return False


def _provenances(root: Path) -> Iterator[Path]:
    """Of plain runs and of runs in sweeps; frozen source, which links back to the outputs, is not entered."""
    for folder in sorted(root.glob("*")) if root.is_dir() else ():
        yield from folder.glob("provenance.json")
        yield from folder.glob("*/provenance.json")
