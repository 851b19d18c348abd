"""Suggestions for a name that is not among those allowed."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def did_you_mean(name: str, options: Sequence[str]) -> str:
    """``Did you mean a, b?`` for the options that look like ``name``, else the list of all options."""
    close = difflib.get_close_matches(name, list(dict.fromkeys(options)), n=3, cutoff=0.6)
    close.sort(key=lambda option: sorted(option) != sorted(name))  # letters in another order are the likeliest slip
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Allowed: {', '.join(sorted(set(options)))}." if options else ""
