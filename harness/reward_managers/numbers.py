"""What reward functions and managers return as numbers: Python's, NumPy's or torch's, one each and finite."""

from __future__ import annotations

import math
from typing import Any

_SHOWN = 100  # characters of a value in a message


def plain(value: Any) -> Any:
    """A NumPy or torch number as Python's, anything else as it is."""
    return value.item() if hasattr(value, "item") and math.prod(getattr(value, "shape", ())) == 1 else value


def fault(value: Any) -> str | None:
    """What is wrong with a `plain` value as a number: ``'much', not a number``; None where nothing is."""
    if not isinstance(value, (bool, int, float)):
        shape = getattr(value, "shape", None)
        text = repr(value) if shape is None else f"{type(value).__name__} of shape {tuple(shape)}"
        return f"{text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}, not a number"
    return None if math.isfinite(value) else f"{value}, not a finite number"
