"""DAPO's overlong shaping against the paper's formula."""

from __future__ import annotations

import pytest

from harness.errors import ComponentError
from harness.reward_managers.overlong import OverlongRewardManager
from harness.reward_managers.per_sample import WeightedFunction
from harness.reward_managers.sample import RewardSample


def manager(**parameters) -> OverlongRewardManager:
    return OverlongRewardManager([WeightedFunction("right", lambda *_, **__: 1.0)], **parameters)


def paper(length: int, limit: int, buffer: int) -> float:
    """Equation 13."""
    if length <= limit - buffer:
        return 0.0
    if length <= limit:
        return ((limit - buffer) - length) / buffer
    return -1.0


@pytest.mark.parametrize("length", [0, 1, 16384, 16385, 18000, 20480])
def test_the_published_setting(length: int) -> None:
    result = manager(max_response_length=20480, buffer_length=4096).score(RewardSample("", "", response_length=length))
    assert result.extra["overlong_penalty"] == pytest.approx(paper(length, 20480, 4096))
    assert result.score == pytest.approx(1 + paper(length, 20480, 4096))
    assert result.extra["acc"] == 1.0


def test_the_buffer_is_a_fifth_unless_given() -> None:
    assert manager(max_response_length=20480).buffer == 4096
    assert manager(max_response_length=3).buffer == 1


def test_the_penalty_scales() -> None:
    result = manager(max_response_length=10, buffer_length=4, penalty=0.5).score(
        RewardSample("", "", response_length=8)
    )
    assert result.score == pytest.approx(0.75)


@pytest.mark.parametrize("buffer", [0, -1, 11])
def test_a_buffer_that_cannot_be(buffer: int) -> None:
    with pytest.raises(ComponentError, match="buffer_length"):
        manager(max_response_length=10, buffer_length=buffer)
