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
        uid: The prompt's group.
        prompt_ids, response_ids: Tokens; only for managers that score whole batches, as are the columns.
        columns: All columns of the data set, as they are.
    """

    input_text: str
    response_text: str
    data_source: str = ""
    ground_truth: Any = None
    extra_info: Mapping[str, Any] = field(default_factory=dict)
    response_length: int = 0
    messages: tuple[Mapping[str, Any], ...] = ()
    uid: str = ""
    prompt_ids: tuple[int, ...] = ()
    response_ids: tuple[int, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Segment:
    """The reward of one step of a response.

    Attributes:
        start, end: The step's characters in the response's text, end not included.
        reward: The reward.
        every_token: Whether every token of the step gets it; otherwise the step's last token does.
    """

    start: int
    end: int
    reward: float
    every_token: bool = False


@dataclass(frozen=True)
class RewardResult:
    """The reward of one response.

    Attributes:
        score: The reward, placed on the response's last token; what validation reports.
        extra: Numbers and texts to log beside it; ``acc`` is always among them.
        token_rewards: A reward for each token of the response, in place of ``score`` on the last one.
        segments: Rewards of steps, added to those of the tokens they cover.
    """

    score: float
    extra: Mapping[str, Any]
    token_rewards: tuple[float, ...] | None = None
    segments: tuple[Segment, ...] = ()
