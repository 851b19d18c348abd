"""Which checkpoints of a run are whole, and from which one it goes on.

verl's files do not tell: it writes a checkpoint's parts one after the other and, in place, its tracker, which names the
last one. So ``global_step_N/manifest.json`` says ``{"complete": false}`` from before the save, and once all of it is on
the disk ``{"complete": true, "files": {path: bytes}}``. A checkpoint is whole while each of these files has its size.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.records.atomic import sync, write_json, write_text
from harness.records.unmarked import holds_all_parts, parts_of_all

MANIFEST = "manifest.json"
TRACKER = "latest_checkpointed_iteration.txt"  # verl's: the step that it resumes from
_CHECKPOINT = re.compile(r"global_step_(\d+)")


def checkpoint_at(folder: Path, step: int) -> Path:
    """The place of a step's checkpoint in the folder of all."""
    return folder / f"global_step_{step}"


def begin(checkpoint: Path) -> None:
    """Make the folder of a checkpoint that is not whole yet; what an earlier attempt left there goes."""
    shutil.rmtree(checkpoint, ignore_errors=True)
    checkpoint.mkdir(parents=True, exist_ok=True)
    write_json(checkpoint / MANIFEST, {"complete": False})


def complete(checkpoint: Path) -> None:
    """Bring all of a checkpoint to the disk, whichever process has written it, and mark it as whole."""
    sizes = {}
    for folder, files in _walk(checkpoint):
        for name in files:
            sync(folder / name)
            sizes[(folder / name).relative_to(checkpoint).as_posix()] = (folder / name).stat().st_size
        sync(folder)
    sync(checkpoint.parent)
    write_json(checkpoint / MANIFEST, {"complete": True, "files": dict(sorted(sizes.items()))})


def whole_steps(folder: Path) -> list[int]:
    """The steps whose checkpoints are whole, ascending.

    Args:
        folder: That of all checkpoints, which need not exist.
    """
    steps = _steps(folder)
    unmarked = parts_of_all(checkpoint_at(folder, step) for step in steps)
    return [step for step in steps if _is_whole(checkpoint_at(folder, step), unmarked)]


def last_step(folder: Path) -> int | None:
    """The step that a run goes on from: what verl's tracker names, or the last whole one where that is none.

    The tracker stands where it can, as a user may have set it back.
    """
    whole, named = whole_steps(folder), _named(folder)
    return named if named in whole else max(whole, default=None)


def repair(folder: Path) -> list[str]:
    """Have verl resume from `last_step`, or begin where there is none.

    Args:
        folder: That of all checkpoints.

    Returns:
        A sentence on each checkpoint that is passed over, and on the tracker if it said otherwise.
    """
    last, tracker = last_step(folder), folder / TRACKER
    whole, after = whole_steps(folder), last or 0
    told = [
        f"{checkpoint_at(folder, step)} is not whole and is passed over: its save was cut short, or a part is gone"
        for step in _steps(folder)
        if step > after and step not in whole
    ]
    if last is None and tracker.exists():
        tracker.unlink()
        told.append(f"{tracker} named no whole checkpoint, and there is none: the training begins from its start")
    elif last is not None and last != _named(folder):
        write_text(tracker, str(last))
        told.append(f"{tracker} named no whole checkpoint; it names step {last} now, the last one")
    return told


def prune(folder: Path, step: int, keep: Mapping[str, int | None]) -> None:
    """Delete what is more than is to be kept, up to a step. The last whole checkpoint always stays.

    Args:
        folder: That of all checkpoints.
        step: Later ones, which a run that was set back has left, do not count and stay.
        keep: A part of a checkpoint, such as ``actor`` → of how many it is kept; None or 0 for all. A checkpoint goes
            with the last of these parts.
    """
    steps = [each for each in _steps(folder) if each <= step]
    whole = [each for each in whole_steps(folder) if each <= step]
    # those that lack a part because it is kept of fewer count as well
    saved = [each for each in steps if each in whole or _manifest(checkpoint_at(folder, each)).get("complete")]
    for each in steps[: steps.index(whole[-1])] if whole else ():
        newer = sum(other > each for other in saved)
        beyond = [part for part, most in keep.items() if most and newer >= most]
        checkpoint = checkpoint_at(folder, each)
        for place in [checkpoint] if len(beyond) == len(keep) else [checkpoint / part for part in beyond]:
            shutil.rmtree(place, ignore_errors=True)


def _steps(folder: Path) -> list[int]:
    matches = (_CHECKPOINT.fullmatch(path.name) for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(int(match[1]) for match in matches if match)


def _named(folder: Path) -> int | None:
    try:
        return int((folder / TRACKER).read_text())
    except (OSError, ValueError):  # missing, empty or damaged
        return None


def _is_whole(checkpoint: Path, unmarked: set[str]) -> bool:
    manifest = _manifest(checkpoint)
    if not manifest:
        return holds_all_parts(checkpoint, unmarked)
    files: Mapping[str, int] = manifest.get("files") or {}
    return bool(manifest.get("complete")) and all(_size(checkpoint / name) == size for name, size in files.items())


def _manifest(checkpoint: Path) -> dict[str, Any]:
    """What the manifest says; nothing where there is none, as in runs of before there were manifests."""
    try:
        return dict(json.loads((checkpoint / MANIFEST).read_text()))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError):
        return {"complete": False}


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _walk(checkpoint: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder with its files; hidden ones are temporary, such as those of a network file system."""
    for folder, _, files in os.walk(checkpoint):
        yield Path(folder), [name for name in files if not name.startswith(".") and name != MANIFEST]
