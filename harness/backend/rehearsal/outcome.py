"""What a rehearsal saw and what went wrong in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.check.problem import Problem


@dataclass
class Outcome:
    """Collected by every part of a rehearsal.

    Attributes:
        lines: What was seen, for people: ``(part, text)``.
        problems: What is wrong.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def say(self, part: str, text: str) -> None:
        """Note what was seen."""
        self.lines.append((part, text))

    def wrong(self, code: str, key: str, message: str, remedy: str = "") -> None:
        """Note what would stop the training."""
        self.problems.append(Problem(code, key, message, remedy))

    def warn(self, code: str, key: str, message: str, remedy: str = "") -> None:
        """Note what the training would go on with, and perhaps should not."""
        self.problems.append(Problem(code, key, message, remedy, warning=True))


def one_line(error: BaseException, most: int = 300) -> str:
    """An exception on one line: libraries write pages."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= most else f"{text[:most]}…"
