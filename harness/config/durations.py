"""Times as Slurm writes them."""

from __future__ import annotations

import re
from typing import Any

from harness.errors import ConfigurationError

_CLOCK = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d{1,2}))?(?::(\d{1,2}))?")
FORMS = "minutes, HH:MM:SS or D-HH:MM:SS"
LONGEST_MINUTES = 60 * 24 * 365


def minutes(value: Any) -> int:
    """A time limit in whole minutes, rounded up.

    Args:
        value: Minutes, ``MM:SS``, ``HH:MM:SS``, ``D-HH``, ``D-HH:MM`` or ``D-HH:MM:SS``, as sbatch takes them.

    Raises:
        ConfigurationError: It is none of these, or less than a minute.
    """
    given = seconds(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if not given or given > LONGEST_MINUTES * 60:
        raise ConfigurationError(f"cluster.time={value}: {FORMS} is needed.", 'Write it in quotes in YAML: "24:00:00".')
    return -(-given // 60)


def seconds(text: str) -> int | None:
    """What a time of Slurm's is in seconds, None where it is none, such as ``UNLIMITED``; a bare number is minutes."""
    match = _CLOCK.fullmatch(text.strip())
    if not match:
        return None
    days, *given = match.groups()
    numbers = [int(number) for number in given if number is not None]
    if days is not None:
        hours, rest, last = (*numbers, 0, 0)[:3]
        return ((int(days) * 24 + hours) * 60 + rest) * 60 + last
    if len(numbers) == 3:
        return (numbers[0] * 60 + numbers[1]) * 60 + numbers[2]
    return numbers[0] * 60 + (numbers[1] if len(numbers) == 2 else 0)
