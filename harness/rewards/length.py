"""Reward for the length of a response: 1 up to one length, falling to 0 at another."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Gt

from harness.errors import ConfigurationError


def length(
    input_text: str,
    response_text: str,
    *,
    best: Annotated[int, Ge(0)] = 200,
    most: Annotated[int, Gt(0)] = 1000,
    unit: Literal["words", "characters"] = "words",
) -> dict[str, float]:
    """1 where the response is at most ``best`` long, 0 from ``most`` on, a straight line between.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response.
        best: Length up to which nothing is lost.
        most: Length from which nothing is left.
        unit: ``words`` or ``characters``.

    Returns:
        ``score`` from 0 to 1. (For a limit in tokens see ``reward_manager=overlong``.)

    Raises:
        ConfigurationError: ``most`` is not above ``best``, or the unit is not known.
    """
    if unit not in ("words", "characters"):
        raise ConfigurationError(f"reward_fn.length.unit={unit!r} is not known.", "Choose words or characters.")
    if most <= best:
        raise ConfigurationError(f"reward_fn.length: most={most} must be above best={best}.")
    size = len(response_text.split()) if unit == "words" else len(response_text)
    return {"score": min(1.0, max(0.0, (most - size) / (most - best)))}
