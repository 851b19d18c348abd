"""The record of a check: a machine, its versions, and what each part has shown there."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from harness.records.atomic import write_text

PACKAGES = ("verl", "torch", "transformers", "ray", "vllm", "flash_attn")
IDENTITY = ("GPUs", "cores", "Python", "versions")


def version(package: str) -> str:
    """Of an installed package; empty where it is not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def this_machine(device: str) -> dict[str, Any]:
    """Today, the GPUs (none where the check trains on the CPU) with driver and memory, cores and versions."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    asked = device == "cuda" and shutil.which(query[0])
    said = subprocess.run(query, capture_output=True, text=True, check=False).stdout if asked else ""
    return {
        "date": str(date.today()),
        "GPUs": said.strip().splitlines(),
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
        "versions": {name: number for name in PACKAGES if (number := version(name))},
    }


def parts_of(path: Path, machine: dict[str, Any]) -> dict[str, Any]:
    """What a record says of this very machine and these versions; of another, nothing."""
    record = json.loads(path.read_text()) if path.exists() else {}
    same = all(record.get(key) == machine[key] for key in IDENTITY)
    return record.get("parts", {}) if same else {}


def save(path: Path, machine: dict[str, Any], command: str, parts: dict[str, Any]) -> dict[str, Any]:
    """Write the record, and return it."""
    record = {"parts": parts, "command": command, **machine}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(record, indent=2) + "\n")
    return record
