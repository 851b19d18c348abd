"""One thing that is wrong with a configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigurationError


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, and what to do.

    Attributes:
        code: Which check found it, a stable word such as ``wrong-type``.
        key: The dotted key.
        message: The problem in a sentence, with key and value.
        remedy: What to do; empty where the message says it.
        value: The key's value, where it has one.
        warning: The training would run and give what was asked for; only ``--strict`` makes it an error.
        origin: Where the value comes from: ``the command line``, or a file and line.
    """

    code: str
    key: str
    message: str
    remedy: str = ""
    value: Any = None
    warning: bool = False
    origin: str = ""

    def __str__(self) -> str:
        lines = [self.message, *([f"  → {self.remedy}"] if self.remedy else [])]
        return "\n".join([*lines, *([f"  from {self.origin}"] if self.origin else [])])

    def error(self) -> ConfigurationError:
        """The same as an exception."""
        return ConfigurationError(self.message, self.remedy)
