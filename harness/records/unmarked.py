"""Whether a checkpoint without a manifest is whole: those of runs from before there were manifests.

verl writes ``data.pt`` after actor and critic, so a whole one says that these had been saved; its deletion of old
checkpoints takes actor and critic and leaves ``data.pt``. A ``.pt`` file is a zip archive, whose end tells a torn one.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

_SHARD = re.compile(r"(\w+)_world_size_(\d+)_rank_\d+\.pt")


def parts_of_all(checkpoints: Iterable[Path]) -> set[str]:
    """What a checkpoint of this run consists of: each part that any of them has something of."""
    return {part for checkpoint in checkpoints for part in _parts(checkpoint)}


def holds_all_parts(checkpoint: Path, parts: set[str]) -> bool:
    """Whether every part is there, to all appearances in full.

    Args:
        checkpoint: Its folder.
        parts: Those of `parts_of_all`.
    """
    files = [checkpoint / "data.pt", *checkpoint.glob("*/*.pt")]
    found = _parts(checkpoint)
    return "actor" in found and all(found.get(part) for part in parts) and all(map(zipfile.is_zipfile, files))


def _parts(checkpoint: Path) -> dict[str, bool]:
    """Its folders that are not empty, and the kinds of shards in them (``actor/optim``) → whether all are there."""
    shards: Counter[tuple[str, int]] = Counter()
    parts = {}
    for path in checkpoint.glob("*/*"):
        if "." in path.parent.name:
            continue  # ``transfer_queue.tmp``, which a save that was cut short leaves
        parts[path.parent.name] = True
        if match := _SHARD.fullmatch(path.name):
            shards[f"{path.parent.name}/{match[1]}", int(match[2])] += 1
    for (kind, ranks), count in shards.items():
        parts[kind] = parts.get(kind, False) or count == ranks
    return parts
