"""Reward for the form of a response: each tag opened once, closed once, in their order."""

from __future__ import annotations

import re
from collections.abc import Sequence


def format_tags(
    input_text: str,
    response_text: str,
    *,
    tags: Sequence[str] = ("think", "answer"),
    only: bool = False,
    partial_credit: bool = False,
) -> dict[str, float]:
    """Look for ``<think>…</think>`` and then ``<answer>…</answer>``, or other tags.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response.
        tags: Names of the tags in their order.
        only: Whether nothing but white space may stand outside them.
        partial_credit: Whether a response gets the share of tags that are opened and closed once, where the whole form
            is not right; without it 0.

    Returns:
        ``score`` from 0 to 1.
    """
    between = r"\s*" if only else r".*?"
    whole = between.join(rf"<{re.escape(tag)}>.*?</{re.escape(tag)}>" for tag in tags)
    once = [response_text.count(f"<{tag}>") == response_text.count(f"</{tag}>") == 1 for tag in tags]
    if all(once) and re.fullmatch(rf"{between}{whole}{between}", response_text, re.DOTALL):
        return {"score": 1.0}
    return {"score": sum(once) / len(once) if partial_credit and len(once) and not all(once) else 0.0}
