"""The sbatch script of a run or of an array of runs, from the section ``cluster``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from submitit.slurm.slurm import _make_sbatch_string  # the text that submitit's executor submits

from harness.config.durations import minutes

if TYPE_CHECKING:
    from omegaconf import DictConfig

LOG = "slurm-%A_%a.log"


@dataclass(frozen=True)
class Array:
    """Runs that one script starts.

    Attributes:
        tasks: Their numbers in the array.
        folder: The sweep's folder, on a file system that the nodes share.
        name: What ``squeue`` shows.
        code: The frozen source, or None for the one that is installed.
        offset: What is added to a task's number to get its run's: Slurm limits the number and not only the count.
    """

    tasks: Sequence[int]
    folder: Path
    name: str
    code: Path | None = None
    offset: int = 0


def sbatch_script(cluster: DictConfig, array: Array) -> str:
    """The script's text.

    Args:
        cluster: The section, resolved.
        array: What it starts.
    """
    further: dict[str, Any] = {
        "array": _indices(array.tasks) + (f"%{cluster.at_once}" if cluster.at_once else ""),
        "output": str(array.folder / "logs" / LOG),
        "requeue": True,
        "open-mode": "append",
    }
    given = resources(cluster)
    given["setup"] += _environment(array)
    given["additional_parameters"] = further | given["additional_parameters"]
    return _make_sbatch_string(
        command=_command(array, cluster.cpus_per_node),
        folder=array.folder,
        job_name=array.name,
        **given,
        use_srun=False,  # the command starts its own step
    )


def resources(cluster: DictConfig) -> dict[str, Any]:
    """What a job of the section is given, by submitit's names.

    Args:
        cluster: The section, resolved.
    """
    gpus = int(cluster.gpus_per_node)
    kind = f"{cluster.gpu_type}:" if cluster.gpu_type else ""
    return {
        "partition": cluster.partition,
        "account": cluster.account,
        "qos": cluster.qos,
        "time": minutes(cluster.time),
        "nodes": int(cluster.nodes),
        "ntasks_per_node": 1,
        "gpus_per_node": f"{kind}{gpus}" if gpus else None,
        "cpus_per_task": cluster.cpus_per_node,
        "mem": _memory(cluster.memory_gb),
        "constraint": cluster.constraint,
        "signal_delay_s": int(cluster.grace_seconds),
        "setup": list(cluster.setup),
        "stderr_to_stdout": True,
        "wckey": None,
        "additional_parameters": dict(_option(text) for text in cluster.extra),
    }


def _memory(gigabytes: float | None) -> str | None:
    """As sbatch takes it, which knows whole numbers alone; 0 asks for a node's whole memory."""
    if gigabytes is None:
        return None
    return f"{gigabytes:.0f}G" if gigabytes == int(gigabytes) else f"{gigabytes * 1024:.0f}M"


def gpu_hours(cluster: DictConfig, runs: int) -> float:
    """The most GPU hours that so many runs may take before their time limit, each started once."""
    return runs * int(cluster.nodes) * int(cluster.gpus_per_node) * minutes(cluster.time) / 60


def hours_to_book(cluster: DictConfig, runs: int) -> str:
    """The most GPU hours that so many runs may take, in words: after a time limit a run is started again."""
    once, requeues = gpu_hours(cluster, runs), int(cluster.requeues or 0)
    told = f"at most {once:,.0f} GPU hours"
    if not once or not requeues:
        return told
    most = once * (1 + requeues)
    return f"{told} up to the first time limits, {most:,.0f} with every requeue (cluster.requeues={requeues})"


def _indices(numbers: Sequence[int]) -> str:
    """``0-3,7`` for 0, 1, 2, 3, 7."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def _option(text: str) -> tuple[str, Any]:
    name, separator, value = text.removeprefix("--").partition("=")
    return name, value if separator else True


def _environment(array: Array) -> list[str]:
    if array.code is None:
        return []
    return [f"export PYTHONPATH={shlex.quote(str(array.code))}${{PYTHONPATH:+:$PYTHONPATH}}"]


def _command(array: Array, cpus: int | None) -> str:
    """One task a node; the first of them drives the run. A task that ends badly ends the others."""
    python = [sys.executable, "-P", "-u"]  # -P: what lies in the folder of submission is not what was frozen
    step = ["srun", "--unbuffered", "--kill-on-bad-exit=1"]
    if cpus:
        step.append(f"--cpus-per-task={cpus}")  # since Slurm 22.05 a step does not take it from its job
    job = [*step, *python, "-m", "harness.launch.job"]
    task = f"$((SLURM_ARRAY_TASK_ID + {array.offset}))" if array.offset else "$SLURM_ARRAY_TASK_ID"
    return f"{shlex.join([*job, str(array.folder)])} {task}"
