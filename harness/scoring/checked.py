"""A reward manager's result, looked at before anything is made of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from harness.errors import ComponentError
from harness.reward_managers.numbers import fault, plain
from harness.reward_managers.sample import RewardResult, Segment
from harness.scoring.failures import FAILED


def checked(result: Any) -> RewardResult:
    """A result with Python's own numbers, marked as one that did not fail.

    Raises:
        ComponentError: It is no `RewardResult`, or a reward in it is no finite number.
    """
    if not isinstance(result, RewardResult):
        raise ComponentError(f"reward_manager: {result!r} came back for a response, not a RewardResult.")
    if not isinstance(result.extra, Mapping):
        raise ComponentError(f"reward_manager: RewardResult.extra is {result.extra!r}, not a mapping.")
    extra = {name: plain(value) for name, value in result.extra.items()}
    if "acc" in extra:
        _number("extra['acc']", extra["acc"])
    return dataclasses.replace(
        result,
        score=_number("score", result.score),
        extra={**extra, FAILED: 0.0},
        token_rewards=None if result.token_rewards is None else _numbers(result.token_rewards),
        segments=tuple(_segment(segment) for segment in result.segments),
    )


def _number(name: str, value: Any) -> float:
    value = plain(value)
    wrong = fault(value)
    if wrong:
        raise ComponentError(f"reward_manager: it gave RewardResult.{name} = {wrong}.")
    return float(value)


def _numbers(values: Any) -> tuple[float, ...]:
    """Token rewards, also from a tensor or an array."""
    listed = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(listed, (list, tuple)):
        raise ComponentError(f"reward_manager: RewardResult.token_rewards is {values!r}, not a number for each token.")
    return tuple(_number(f"token_rewards[{place}]", value) for place, value in enumerate(listed))


def _segment(segment: Any) -> Segment:
    if not isinstance(segment, Segment):
        raise ComponentError(f"reward_manager: RewardResult.segments holds {segment!r}, not a Segment.")
    return dataclasses.replace(segment, reward=_number("segments[…].reward", segment.reward))
