"""What W&B's client has given up to upload, by its own log: it tells its caller of none of that."""

from __future__ import annotations

import json
from pathlib import Path

LOG = "logs/debug-internal.log"  # below the folder of a start
SYNC_LOGS = "wandb/logs/debug-sync.*.log"  # below the folder that the client works in
LOSSES = ("filestream: ", "runfiles: ", "file transfer: upload", "sender: ")  # whose errors are about a run's data
LONGEST = 200


def lost(file: Path) -> str:
    """The first of it.

    Args:
        file: The client's log of a start, or of a ``wandb sync``.

    Returns:
        In the client's words; empty where it has got rid of everything.
    """
    for line in file.read_text(errors="replace").splitlines() if file.is_file() else ():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        said = " ".join(str(entry.get("msg", "")).split())
        if str(entry.get("level", "")).startswith("ERROR") and said.startswith(LOSSES):
            return said[:LONGEST]
    return ""
