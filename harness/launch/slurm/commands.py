"""Slurm's commands, each with its answer or an error that says what to do."""

from __future__ import annotations

import re
import subprocess

from harness.errors import HarnessError

LIMIT_SECONDS = 60.0


class SlurmError(HarnessError):
    """A command of Slurm's is not there or refused what was asked."""


def slurm(*command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command.

    Args:
        command: Its words.
        given: What it reads on standard input.

    Raises:
        SlurmError: It is not there, does not answer, or says no; the message is Slurm's own.
    """
    try:
        result = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
        )
    except FileNotFoundError as error:
        raise SlurmError(f"There is no {command[0]} here.", "Run this on a login node of the cluster.") from error
    except subprocess.TimeoutExpired as error:
        raise SlurmError(f"{command[0]} did not answer in {LIMIT_SECONDS:.0f} s.", "Try again later.") from error
    if result.returncode:
        lines = [line.removeprefix(f"{command[0]}: ") for line in result.stderr.strip().splitlines()]
        said = "; ".join(line.removeprefix("error: ") for line in lines)
        raise SlurmError(said or f"{command[0]} ended with {result.returncode}.")
    return result


def test_only(script: str) -> str:
    """Slurm's answer to a script that it is asked about and does not queue.

    Raises:
        SlurmError: It would refuse it.
    """
    result = slurm("sbatch", "--test-only", given=script)
    return (result.stderr or result.stdout).strip().splitlines()[-1].removeprefix("sbatch: ")


def kill_wait() -> float:
    """Seconds between ``TERM`` and ``KILL`` on this cluster; Slurm's default where it does not say."""
    try:
        said = slurm("scontrol", "show", "config").stdout
    except SlurmError:
        return 30.0
    found = re.search(r"KillWait\s*=\s*(\d+)", said)
    return float(found[1]) if found else 30.0


test_only.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test where it is imported
