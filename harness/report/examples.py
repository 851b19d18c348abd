"""Examples of generations: the same prompt before and after training, chosen so that good and bad both show."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from harness.report.statistics import prompt_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.generations import Generation

_MOST_CHARACTERS = 2400
#: How many of each kind, and in which order.
_CHOICE = (("improved", 3), ("worse", 2), ("still low", 2), ("same", 1))
_ARROWS = {"\n": "↵", "\t": "→", " ": "·"}


@dataclass(frozen=True)
class Example:
    """One prompt with the response before and after training; ``before`` is None with a single validation."""

    kind: str
    prompt: Markup
    ground_truth: Markup
    before: Markup | None
    before_score: float | None
    after: Markup
    after_score: float | None


def examples(first: Sequence[Generation], last: Sequence[Generation]) -> list[Example]:
    """At most eight examples from two validations of the same prompts; ``first`` may be empty."""
    if not first:
        return [_example("sample", None, after) for after in last[:6]]
    kinds: dict[str, list[tuple[Generation, Generation]]] = defaultdict(list)
    for before, after in _pairs(first, last):
        kinds[_kind(before, after)].append((before, after))
    chosen = []
    for kind, count in _CHOICE:
        ranked = sorted(kinds[kind], key=lambda pair: -abs((pair[1].score or 0.0) - (pair[0].score or 0.0)))
        chosen += [_example(kind, before, after) for before, after in ranked[:count]]
    return chosen


def _pairs(first: Sequence[Generation], last: Sequence[Generation]) -> list[tuple[Generation, Generation]]:
    """The n-th response to a prompt before and the n-th after."""
    waiting: dict[tuple[str, str], list[Generation]] = defaultdict(list)
    for generation in last:
        waiting[prompt_key(generation)].append(generation)
    return [(before, waiting[key].pop(0)) for before in first if waiting[key := prompt_key(before)]]


def _kind(before: Generation, after: Generation) -> str:
    gain = (after.score or 0.0) - (before.score or 0.0)
    if abs(gain) > 1e-9:
        return "improved" if gain > 0 else "worse"
    return "still low" if (after.score or 0.0) < 0.5 else "same"


def _example(kind: str, before: Generation | None, after: Generation) -> Example:
    truth = "" if after.ground_truth is None else str(after.ground_truth)
    return Example(
        kind=kind,
        prompt=visible(after.input),
        ground_truth=visible(truth),
        before=visible(before.output) if before else None,
        before_score=before.score if before else None,
        after=visible(after.output),
        after_score=after.score,
    )


def visible(text: str) -> Markup:
    """Text of a model as safe HTML in which whitespace and invisible characters can be seen.

    Line ends, tabs, and spaces that a reader would miss are marked by style only, so that copying gives the text
    itself; control, format and lone surrogate characters are spelled out as their code points.
    """
    if len(text) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        gap = Markup('<span class="gap">… {:,} characters left out …</span>').format(len(text) - 2 * half)
        return visible(text[:half]) + gap + visible(text[-half:])
    return Markup("").join(_visible(text, position) for position in range(len(text)))


def _visible(text: str, position: int) -> Markup:
    char = text[position]
    if char == " " and not _would_be_missed(text, position):
        return Markup(" ")
    if char in _ARROWS:
        return Markup('<span class="ws" data-mark="{}">{}</span>').format(_ARROWS[char], char)
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
        return Markup('<span class="code">U+{:04X}</span>').format(ord(char))
    return escape(char)


def _would_be_missed(text: str, position: int) -> bool:
    """Whether the space at ``position`` is at the edge of a line or beside another one."""
    before = text[position - 1] if position else "\n"
    after = text[position + 1] if position + 1 < len(text) else "\n"
    return before in " \n\t" or after in " \n\t"
