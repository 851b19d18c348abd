"""Slurm's commands, each with its answer or an error that says what to do."""

from __future__ import annotations

import subprocess

from harness.errors import HarnessError

LIMIT_SECONDS = 60.0


class SlurmError(HarnessError):
    """A command of Slurm's is not there or refused what was asked."""


class NoSuchJobError(SlurmError):
    """Slurm answers and knows no such job, or none any more."""


class NoAccountingError(SlurmError):
    """There is no record of past jobs on this cluster."""


class NoAnswerError(SlurmError):
    """A command gave up waiting, so that Slurm may have done what was asked all the same."""


KINDS = {
    "timed out": NoAnswerError,
    "invalid job id": NoSuchJobError,
    "accounting storage is disabled": NoAccountingError,
}


def slurm(*command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command.

    Args:
        command: Its words.
        given: What it reads on standard input.

    Raises:
        SlurmError: It is not there, does not answer, or says no; the message is Slurm's own. A kind of its own where
            that matters: `NoAnswerError`, `NoSuchJobError`, `NoAccountingError`.
    """
    try:
        result = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, timeout=LIMIT_SECONDS
        )
    except FileNotFoundError as error:
        kind = NoAccountingError if command[0] == "sacct" else SlurmError
        raise kind(f"There is no {command[0]} here.", "Run this on a login node of the cluster.") from error
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(f"{command[0]} did not answer in {LIMIT_SECONDS:.0f} s.", "Try again later.") from error
    if result.returncode:
        lines = [line.removeprefix(f"{command[0]}: ") for line in result.stderr.strip().splitlines()]
        said = "; ".join(line.removeprefix("error: ") for line in lines)
        kind = next((kind for words, kind in KINDS.items() if words in said.lower()), SlurmError)
        raise kind(said or f"{command[0]} ended with {result.returncode}.")
    return result


def test_only(script: str) -> str:
    """Slurm's answer to a script that it is asked about and does not queue.

    Raises:
        SlurmError: It would refuse it.
    """
    result = slurm("sbatch", "--test-only", given=script)
    return (result.stderr or result.stdout).strip().splitlines()[-1].removeprefix("sbatch: ")


test_only.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test where it is imported
