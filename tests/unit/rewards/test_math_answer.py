from __future__ import annotations

import pytest

from harness.errors import UnscorableSample
from harness.rewards.math_answer import math_answer

RIGHT = [
    ("The answer is \\boxed{\\frac{1}{2}}.", "0.5"),
    ("so $x = 3$ and the result is \\boxed{1/2}", "\\frac{1}{2}"),
    ("Therefore it is $\\sqrt{8}$.", "2\\sqrt{2}"),
    ("\\boxed{(1, 2)}", "(1,2)"),
    ("\\boxed{\\{1, 3, 2\\}}", "$\\{1,2,3\\}$"),
    ("first \\boxed{3}, no: \\boxed{4}", "4"),
    ("I get 42", "42"),
    ("\\boxed{x^2+2x+1}", "(x+1)^2"),
    ("That is \\boxed{1,000}", "1000"),
    # as the MATH data set writes money: no formula stands between these dollars
    ("It costs \\boxed{\\$36}", "\\$36"),
    ("It costs \\boxed{36}", "\\$36"),
    ("It costs \\boxed{18.90}", "\\$18.90"),
    ("It costs \\boxed{32348}", "\\$32,\\!348"),
    ("It costs \\boxed{1000}", "\\$1{,}000"),
]


@pytest.mark.parametrize(("response", "truth"), RIGHT)
def test_equal_values_count(response: str, truth: str) -> None:
    assert math_answer("", response, ground_truth=truth) == {"score": 1.0, "acc": 1.0}


@pytest.mark.parametrize(
    ("response", "truth"),
    [("\\boxed{\\frac{1}{3}}", "0.5"), ("no idea", "4"), ("", "4"), ("\\boxed{", "4"), ("\\boxed{5} is not 4", "4")],
)
def test_other_values_do_not(response: str, truth: str) -> None:
    assert math_answer("", response, ground_truth=truth)["score"] == 0.0


def test_only_a_box_counts_where_asked() -> None:
    assert math_answer("", "It is 4.", ground_truth="4", boxed_only=True)["score"] == 0.0
    assert math_answer("", "It is \\boxed{4}.", ground_truth="4", boxed_only=True)["score"] == 1.0


def test_a_reference_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UnscorableSample, match=r"reward_fn\.math_answer: the reference answer ''"):
        math_answer("", "\\boxed{4}", ground_truth="")
