"""Where the answer stands in a model's response: the rules that the rule-based rewards share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from harness.errors import ConfigurationError

# An integer or decimal, thousands separated by commas or not. The sign must not follow a digit: "12-5" ends in 5.
NUMBER = re.compile(r"(?<![\d.])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
TAG = re.compile(r"<answer>(.*?)(?:</answer>|$)", re.DOTALL)
MARK = re.compile(r"answer\s*(?:is)?\s*:\s*(.+)", re.IGNORECASE)


def last_number(text: str) -> str | None:
    """The last number of the text without its thousands separators, or None."""
    numbers = NUMBER.findall(text)
    return numbers[-1].replace(",", "") if numbers else None


def last_tag(text: str) -> str | None:
    """What stands in the last ``<answer>…</answer>`` (the closing tag may be missing at the end), or None."""
    answers = TAG.findall(text)
    return answers[-1].strip() if answers else None


def last_mark(text: str) -> str | None:
    """The rest of the line after the last ``Answer:``, or None."""
    answers = MARK.findall(text)
    return answers[-1].strip() if answers else None


def whole(text: str) -> str | None:
    """The whole response without the white space around it, or None where nothing is left."""
    return text.strip() or None


Rule = Literal["auto", "number", "tag", "mark", "whole"]
RULES: dict[str, Callable[[str], str | None]] = {
    "number": last_number,
    "tag": last_tag,
    "mark": last_mark,
    "whole": whole,
}


def extract_answer(text: str, rule: Rule, ground_truth: str = "") -> str | None:
    """The answer in a response, or None where the rule finds none.

    Args:
        text: The decoded response.
        rule: ``number``, ``tag``, ``mark`` or ``whole`` (see the functions of this module), or ``auto``: the tag if
            there is one, else the mark, else the last number if the ground truth is a number, else the whole response.
        ground_truth: The reference answer; only ``auto`` looks at it, and only at whether it is a number.

    Raises:
        ConfigurationError: The rule is not one of these.
    """
    if rule in RULES:
        return RULES[rule](text)
    if rule != "auto":
        raise ConfigurationError(f"extract={rule!r} is not one of auto, {', '.join(RULES)}")
    marked = last_tag(text) or last_mark(text)
    if NUMBER.fullmatch(ground_truth.strip()):
        return last_number(text if marked is None else marked)
    return marked or whole(text)
