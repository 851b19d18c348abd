from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from harness.data.reasoning_gym import reasoning_gym_rows
from harness.errors import UnscorableSample
from harness.rewards.reasoning_gym import reasoning_gym

JUNK = ["", " ", "\x00\ufffd", "[[[{", "1/0", "nan", "∞", "-", "<answer></answer>", "9" * 400, "a\nb" * 50]


def row(task: str, **config: Any) -> dict[str, Any]:
    return reasoning_gym_rows({task: config}, {"train": 1})["train"][0]


def score(row: dict[str, Any], response: str, **params: Any) -> dict[str, float]:
    truth = row["reward_model"]["ground_truth"]
    known = {"ground_truth": truth, "extra_info": row["extra_info"]}
    return reasoning_gym("prompt", response, **known, **params)


@pytest.mark.parametrize("task", ["chain_sum", "spell_backward", "lcm", "countdown", "letter_counting"])
def test_reference_answer_gets_full_marks_and_a_wrong_one_does_not(task: str) -> None:
    entry = row(task)
    truth = entry["reward_model"]["ground_truth"]

    assert score(entry, f"<answer>{truth}</answer>") == {"score": 1.0, "acc": 1.0}
    assert score(entry, "<answer>12345678</answer>")["acc"] == 0.0


@pytest.mark.parametrize("task", ["chain_sum", "spell_backward", "prime_factorization", "boxnet", "countdown"])
@pytest.mark.parametrize("junk", JUNK)
def test_junk_gets_no_marks_and_ends_nothing(task: str, junk: str) -> None:
    result = score(row(task), junk)

    assert result["acc"] == 0.0
    assert 0.0 <= result["score"] < 1.0


def test_partial_credit_can_be_left_out() -> None:
    entry = row("spell_backward", min_word_len=4, max_word_len=4)
    truth = entry["reward_model"]["ground_truth"]
    nearly = truth[:3] + ("x" if truth[3] != "x" else "y")

    assert score(entry, nearly) == {"score": 0.75, "acc": 0.0}
    assert score(entry, nearly, partial_credit=False) == {"score": 0.0, "acc": 0.0}


def test_row_of_another_data_set_is_refused() -> None:
    with pytest.raises(UnscorableSample, match=r"no extra_info\['reasoning_gym'\]") as caught:
        reasoning_gym("prompt", "4", ground_truth="4", extra_info={"index": 0})
    assert "data=reasoning_gym" in caught.value.remedy


def test_importing_rewards_does_not_import_the_library() -> None:
    code = "import sys, harness.rewards.reasoning_gym as r; sys.exit('reasoning_gym' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
