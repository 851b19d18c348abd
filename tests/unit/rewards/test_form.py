from __future__ import annotations

import pytest

from harness.errors import ConfigurationError
from harness.rewards.format_tags import format_tags
from harness.rewards.length import length

GOOD = "<think>a\nb</think> so <answer>3</answer>"


@pytest.mark.parametrize(
    ("response", "score"),
    [
        (GOOD, 1.0),
        (f"  {GOOD}\n", 1.0),
        ("<answer>3</answer><think>a</think>", 0.0),  # their order
        ("<think>a</think><think>b</think><answer>3</answer>", 0.0),  # once each
        ("<think>a</think><answer>3", 0.0),
        ("<think>a<answer>3</think></answer>", 0.0),  # nested
        ("", 0.0),
    ],
)
def test_tags(response: str, score: float) -> None:
    assert format_tags("", response)["score"] == score


def test_nothing_else_and_partial_credit() -> None:
    assert format_tags("", GOOD, only=True)["score"] == 0.0
    assert format_tags("", "<think>a</think>\n<answer>3</answer>", only=True)["score"] == 1.0
    assert format_tags("", "<think>a</think> 3", partial_credit=True)["score"] == 0.5
    assert format_tags("", "<answer>3</answer><think>a</think>", partial_credit=True)["score"] == 0.0
    assert format_tags("", "<plan>x</plan>", tags=["plan"])["score"] == 1.0


def test_length() -> None:
    assert length("", "a b", best=2, most=4)["score"] == 1.0
    assert length("", "a b c", best=2, most=4)["score"] == 0.5
    assert length("", "a b c d e", best=2, most=4)["score"] == 0.0
    assert length("", "abc", best=2, most=4, unit="characters")["score"] == 0.5
    with pytest.raises(ConfigurationError, match="most=4 must be above best=4"):
        length("", "a", best=4, most=4)
    with pytest.raises(ConfigurationError, match="unit='tokens'"):
        length("", "a", unit="tokens")
