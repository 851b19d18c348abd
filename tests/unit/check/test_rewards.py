"""Weights, and the number that dynamic sampling compares, before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.check.rewards import reward_problems
from harness.config.compose import compose_config, resolved_tree

METRIC = "algorithm.filter_groups.metric"


def problems(*overrides: str) -> list[str]:
    tree = resolved_tree(compose_config(["experiment=quickstart_tiny", *overrides]))
    return [str(problem) for problem in reward_problems(tree)]


@pytest.mark.parametrize("weight", ["abc", "nan", "inf", "null", "true", "[1]"])
def test_a_weight_is_a_finite_number(weight: str) -> None:
    (problem,) = problems(f"reward_fn.reasoning_gym.weight={weight}")
    assert "reward_fn.reasoning_gym.weight=" in problem
    assert "a finite number is needed" in problem


@pytest.mark.parametrize("weight", ["0", "-1.5", "2"])
def test_any_finite_number_will_do(weight: str) -> None:
    assert problems(f"reward_fn.reasoning_gym.weight={weight}") == []


@pytest.mark.parametrize("metric", ["reward", "acc", "overlong_penalty"])
def test_metrics_that_every_response_has(metric: str) -> None:
    assert problems("algorithm=dapo", f"{METRIC}={metric}") == []


def test_scores_of_single_functions_are_noted_where_there_are_several() -> None:
    several = "reward_fn=[exact_match,format_tags]"
    assert problems("algorithm=dapo", several, f"{METRIC}=reward_fn/format_tags") == []
    (problem,) = problems("algorithm=dapo", "reward_fn=[exact_match]", f"{METRIC}=reward_fn/exact_match")
    assert "note no such number" in problem


@pytest.mark.parametrize(
    ("metric", "words"), [("nonsense", "note no such number beside the reward"), ("null", "needs")]
)
def test_metrics_that_no_response_has(metric: str, words: str) -> None:
    (problem,) = problems("algorithm=dapo", f"{METRIC}={metric}")
    assert words in problem
    assert problems("algorithm=grpo", f"{METRIC}={metric}") == []


def test_a_function_of_the_users_own_may_note_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.py").write_text("def score(input_text, response_text): ...")
    monkeypatch.chdir(tmp_path)
    own = ["reward_fn=[custom]", "reward_fn.custom.module=own.py"]
    assert problems("algorithm=dapo", *own, f"{METRIC}=nonsense") == []
