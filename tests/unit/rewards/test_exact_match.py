from __future__ import annotations

import pytest

from harness.rewards.exact_match import exact_match


@pytest.mark.parametrize(
    ("response", "truth", "params", "expected"),
    [
        ("Paris", "Paris", {}, 1.0),
        (" New \n York ", "New York", {}, 1.0),
        ("paris", "Paris", {}, 0.0),
        ("paris", "Paris", {"ignore_case": True}, 1.0),
        ("it is 4", "4", {}, 1.0),
        ("it is 4", "4", {"extract": "whole"}, 0.0),
        ("it is 5", "4", {}, 0.0),
        ("", "4", {}, 0.0),
        ("\x00\ufffd", "4", {}, 0.0),
    ],
)
def test_score(response: str, truth: str, params: dict, expected: float) -> None:
    result = exact_match("prompt", response, ground_truth=truth, **params)

    assert result == {"score": expected, "acc": expected}
