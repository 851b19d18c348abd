"""Which responses of a batch a call of a reward function is about, told by what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.reward_managers.sample import RewardSample

FIELDS = ("input_text", "data_source", "ground_truth", "extra_info")


class Responses:
    """The responses of a batch by their texts.

    Args:
        samples: The batch.
    """

    def __init__(self, samples: Sequence[RewardSample]) -> None:
        self.samples = samples
        self.by_text: dict[str, list[int]] = {}
        for row, sample in enumerate(samples):
            self.by_text.setdefault(sample.response_text, []).append(row)

    def rows(self, text: str, **given: Any) -> list[int]:
        """The rows that a call for this text may be about.

        Args:
            text: The response; a manager may also pass a longer text, as the whole conversation: then the longest
                response that it holds.
            given: Some of `FIELDS`, which tell apart rows with the same response. One that fits none of them is not
                looked at.
        """
        known = text in self.by_text
        held = [text] if known else [response for response in self.by_text if response and response in text]
        rows = self.by_text[max(held, key=len)] if held else []
        for name, value in given.items():
            shown = repr(value)
            rows = [row for row in rows if repr(getattr(self.samples[row], name)) == shown] or rows
        return rows

    def known(self, text: str, **given: Any) -> dict[str, Any]:
        """``given``, and those other fields in which all the rows it may be about agree."""
        rows = self.rows(text, **given)
        found = {}
        for name in FIELDS:
            values = [getattr(self.samples[row], name) for row in rows]
            if values and all(repr(value) == repr(values[0]) for value in values):
                found[name] = values[0]
        return {**found, **given}
