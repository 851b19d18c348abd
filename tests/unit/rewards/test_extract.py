from __future__ import annotations

import pytest

from harness.errors import ConfigurationError
from harness.rewards.extract import extract_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("12", "12"),
        ("The sum is 82.", "82"),
        ("47 + 35 = 82", "82"),
        ("7 - 12 = -5", "-5"),
        ("12-5", "5"),
        ("about 1,234.50 in all", "1234.50"),
        ("1, 2", "2"),
        ("none", None),
        ("", None),
        ("\x00\ufffd<|im_end|>", None),
    ],
)
def test_number_is_the_last_one(text: str, answer: str | None) -> None:
    assert extract_answer(text, "number") == answer


@pytest.mark.parametrize(
    ("rule", "text", "answer"),
    [
        ("tag", "<answer>1</answer> no: <answer> 2\n</answer>", "2"),
        ("tag", "<answer>cut off", "cut off"),
        ("tag", "2", None),
        ("mark", "Answer: first\nso the final answer is: second ", "second"),
        ("mark", "second", None),
        ("whole", "  a b \n", "a b"),
        ("whole", " \n", None),
    ],
)
def test_other_rules(rule: str, text: str, answer: str | None) -> None:
    assert extract_answer(text, rule) == answer


@pytest.mark.parametrize(
    ("text", "truth", "answer"),
    [
        ("3 of them, <answer>it is 4</answer> or 5", "4", "4"),
        ("Answer: 4, I think\n5", "4", "4"),
        ("I get 4", "4", "4"),
        ("I get 4", "four", "I get 4"),
        ("Answer: nus", "nus", "nus"),
    ],
)
def test_auto_prefers_what_is_marked_and_reads_numbers_where_a_number_is_asked_for(
    text: str, truth: str, answer: str
) -> None:
    assert extract_answer(text, "auto", truth) == answer


def test_unknown_rule_is_refused_with_the_rules_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"extract='last'.*auto, number, tag, mark, whole"):
        extract_answer("1", "last")
