"""What a reward manager gets and gives, one object a response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RewardSample:
    """One response to be scored.

    Attributes:
        input_text: The prompt as text: the contents of its messages, one below the other.
        response_text: The decoded response without special tokens.
        data_source, ground_truth, extra_info: The data set's columns.
        response_length: Tokens in the response.
        messages: The prompt's chat messages.
    """

    input_text: str
    response_text: str
    data_source: str = ""
    ground_truth: Any = None
    extra_info: Mapping[str, Any] = field(default_factory=dict)
    response_length: int = 0
    messages: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class RewardResult:
    """The reward of one response.

    Attributes:
        score: The reward, placed on the response's last token.
        extra: Numbers and texts to log beside it; ``acc`` is always among them.
    """

    score: float
    extra: Mapping[str, Any]
