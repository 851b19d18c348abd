"""`ComputeScore`: each way in which a manager may call it, and what it fills in."""

from __future__ import annotations

import pytest

from harness.errors import ComponentError
from harness.reward_managers.compute_score import ComputeScore
from harness.reward_managers.per_sample import WeightedFunction
from harness.reward_managers.sample import RewardSample

SAMPLES = [
    RewardSample("What is 1+1?", "2", "sums", "2", {"index": 0}),
    RewardSample("What is 1+2?", "2", "sums", "3", {"index": 1}),
    RewardSample("And 2+2?", "it is 4", "sums", "4", {"index": 2}),
]


@pytest.fixture
def seen() -> list[tuple]:
    return []


@pytest.fixture
def compute_score(seen: list[tuple]) -> ComputeScore:
    def function(input_text, response_text, *, data_source, ground_truth, extra_info):
        seen.append((input_text, response_text, data_source, ground_truth, extra_info))
        return 1.0

    made = ComputeScore([WeightedFunction("f", function, 0.5)], "my.Manager")
    made.of(SAMPLES)
    return made


LAST = ("And 2+2?", "it is 4", "sums", "4", {"index": 2})


@pytest.mark.parametrize(
    ("texts", "given"),
    [
        ((), {"input_text": "And 2+2?", "response_text": "it is 4"}),
        (("And 2+2?", "it is 4"), {}),
        (("And 2+2?", "it is 4"), {"ground_truth": "4"}),
        ((), {"solution_str": "it is 4", "ground_truth": "4"}),
        (("sums", "it is 4", "4"), {}),
        (("sums", "it is 4"), {"ground_truth": "4", "extra_info": {"index": 2}}),
        (("sums",), {"solution_str": "it is 4", "ground_truth": "4"}),
        (("sums", "it is 4", "4", None), {}),
    ],
)
def test_both_signatures_give_the_functions_the_same(
    compute_score: ComputeScore, seen: list[tuple], texts: tuple, given: dict
) -> None:
    assert compute_score(*texts, **given) == 0.5
    assert seen == [LAST]


def test_the_prompt_is_that_of_the_row(compute_score: ComputeScore, seen: list[tuple]) -> None:
    compute_score(solution_str="2", ground_truth="3")
    compute_score(solution_str="2", extra_info={"index": 0})
    compute_score(solution_str="the whole conversation: And 2+2? it is 4")
    assert [call[0] for call in seen] == ["What is 1+2?", "What is 1+1?", "And 2+2?"]
    assert [call[3] for call in seen] == ["3", "2", "4"]


def test_what_no_row_tells_stays_open(compute_score: ComputeScore, seen: list[tuple]) -> None:
    compute_score(solution_str="2")  # two rows have this response
    compute_score(solution_str="7", ground_truth="5")
    assert seen == [("", "2", "sums", None, {}), ("", "7", "", "5", {})]


@pytest.mark.parametrize(
    ("texts", "given", "words"),
    [
        ((), {"solution_strs": ["2"]}, r"solution_strs=\['2'\]\)"),
        ((), {"solution_str": "2", "truth": "2"}, "truth='2'"),
        ((), {"ground_truth": "2"}, "ground_truth='2'"),
        (("a", "2"), {"response_text": "2"}, "response_text='2'"),
        (("a",), {}, r"'a'\)"),
        (("a", "2", "3", {}, 5), {}, "5"),
        ((), {"solution_str": [5, 6]}, r"solution_str=\[5, 6\]"),
    ],
)
def test_other_calls_are_refused(compute_score: ComputeScore, texts: tuple, given: dict, words: str) -> None:
    with pytest.raises(ComponentError, match=rf"my\.Manager calls compute_score\(.*{words}") as caught:
        compute_score(*texts, **given)
    assert "input_text, response_text" in caught.value.remedy
    assert "solution_str" in caught.value.remedy
