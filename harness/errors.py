"""The one exception hierarchy of the harness: every error says what is wrong and what to do.

Exceptions cross process borders (Ray, submitit), so each one pickles from its own arguments.
"""

from __future__ import annotations

import errno


class HarnessError(Exception):
    """A failure a user can act on.

    Args:
        message: What is wrong, naming the key, the value and what is allowed.
        remedy: What to do about it; an empty string where the message already says so.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.remedy}" if self.remedy else self.message


class ConfigurationError(HarnessError):
    """The configuration cannot be run as written. Ends a command with exit code 2."""

    exit_code = 2


class ComponentError(ConfigurationError):
    """A ``_target_`` node could not be turned into a component."""


class UnscorableSample(HarnessError):
    """A sound reward function cannot score a response, as its row of the data is wrong: it costs that response."""


class TrainingError(HarnessError):
    """A training that started did not finish.

    Args:
        message: The root cause in the user's terms.
        remedy: What to do next.
        stage: The stage in which it happened, such as ``rollout`` or ``update actor``.
        log: Path of the log that holds the whole story.
    """

    def __init__(self, message: str, remedy: str = "", stage: str = "", log: str = "") -> None:
        super().__init__(message, remedy)
        self.args = (message, remedy, stage, log)
        self.stage = stage
        self.log = log


class NodeLost(TrainingError):
    """A machine of a run over several went down, or left the run."""


class Hang(TrainingError):
    """A stage of a training has not progressed for too long, and the run is to be started again."""


class Interrupted(HarnessError):
    """A person asked the run to stop."""

    exit_code = 130


class Preempted(Interrupted):
    """A scheduler asked the run to stop, to go on later."""


class TakenOver(Interrupted):
    """Another process drives the run now, so this one writes nothing more about it."""


class StopRequested(HarnessError):
    """Ends a training after a step, when it has been asked to stop and has saved."""


class DiskFull(HarnessError):
    """A full disk, or a quota, has refused a write."""


def disk_full(error: BaseException, place: object = "", remedy: str = "Free some, and try again.") -> DiskFull | None:
    """The error in the user's terms; None where it is another one.

    Args:
        error: What was raised.
        place: What was written to, where the error does not name it.
        remedy: What to do.
    """
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    return DiskFull(f"No space is left for {error.filename or place or 'a file'} ({error.strerror}).", remedy)
