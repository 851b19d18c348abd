"""The job of Slurm's that this process runs in."""

from __future__ import annotations

import os
import re

from harness.config.durations import seconds
from harness.launch.slurm.commands import SlurmError, slurm

KILL_WAIT_SECONDS = 30.0  # Slurm's default


def job_number() -> str:
    """As ``squeue`` shows it, ``ARRAY_TASK``; empty outside of Slurm.

    ``SLURM_JOB_ID`` would not do: the last task of an array has the array's own, which names all of its tasks.
    """
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array else os.environ.get("SLURM_JOB_ID", "")


def restart_count() -> int:
    """How often Slurm has started it again."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0)


def is_queued_again() -> bool:
    """Whether Slurm has put it back into the queue already: it counts the restart at once."""
    return int(_about().get("Restarts") or 0) > restart_count()


def was_cancelled() -> bool:
    """Whether somebody has cancelled it; False where Slurm does not say.

    Slurm's commands call a job that is being ended ``COMPLETING``, whatever ends it: a time limit or a lost node is its
    reason, a preemption has a time, and what is back in the queue has been restarted. The rest was cancelled.
    """
    about = _about()
    preempted = about.get("PreemptTime", "None") != "None"
    ending = about.get("JobState") == "COMPLETING" and about.get("Reason") == "None"
    return about.get("JobState") == "CANCELLED" or (ending and not preempted and not is_queued_again())


def _about() -> dict[str, str]:
    try:
        said = slurm("scontrol", "show", "job", job_number(), "-o").stdout
    except SlurmError:
        return {}
    return dict(re.findall(r"(\w+)=(\S*)", said))


def term_seconds() -> float:
    """Seconds between ``TERM`` and ``KILL``: ``KillWait``, or what a preemption gives where that is longer."""
    config = _said("scontrol", "show", "config")
    found = re.search(r"KillWait\s*=\s*(\d+)", config)
    grace = _qos_grace() if re.search(r"PreemptType\s*=\s*preempt/qos", config) else _partition_grace()
    return max(float(found[1]) if found else KILL_WAIT_SECONDS, grace)


def _partition_grace() -> float:
    said = _said("scontrol", "show", "partition", os.environ.get("SLURM_JOB_PARTITION", ""))
    found = re.search(r"GraceTime=(\d+)", said)
    return float(found[1]) if found else 0.0


def _qos_grace() -> float:
    name = os.environ.get("SLURM_JOB_QOS", "")
    return float(seconds(_said("sacctmgr", "-n", "-P", "show", "qos", name, "format=GraceTime").strip()) or 0)


def _said(*command: str) -> str:
    """What a command says; nothing where it does not work, as a run can do without."""
    try:
        return slurm(*command).stdout
    except SlurmError:
        return ""
