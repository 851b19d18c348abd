"""PRIME's steps against the rest of the configuration, before anything starts."""

from __future__ import annotations

import pytest

from harness.check.find import find_problems
from harness.check.prime import prime_problems
from harness.config.compose import compose_config, resolved_tree


def problems(*overrides: str) -> list[str]:
    tree = resolved_tree(compose_config(["experiment=quickstart", *overrides]))
    return [str(problem) for problem in prime_problems(tree)]


def test_oversampling_needs_all_prompts() -> None:
    (problem,) = problems("algorithm=prime", "trainer.v1.trainer_mode=colocate_async")
    assert "algorithm_steps.oversample=4 chooses among all prompts" in problem
    assert problems("algorithm=prime", "trainer.v1.trainer_mode=colocate_async", "algorithm_steps.oversample=1") == []
    assert len(problems("algorithm=prime", "algorithm.filter_groups.enable=true")) == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("min_accuracy=0.9", "min_accuracy=0.9 and max_accuracy=0.8 are no range of accuracies"),
        ("max_accuracy=1.5", "filter.max_accuracy=1.5: float of at least 0 and of at most 1 is needed."),
        ("min_accuracy=low", "filter.min_accuracy='low': float of at least 0"),
        ("drop_truncated=1", "filter.drop_truncated=1: bool is needed."),
    ],
)
def test_the_online_filter(value: str, message: str) -> None:
    (problem,) = problems("algorithm=prime", f"algorithm_steps.filter.{value}")
    assert message in problem


def test_a_parameter_that_the_online_filter_does_not_have() -> None:
    (problem,) = problems("algorithm=prime", "+algorithm_steps.filter.min_acuracy=0.1")
    assert "Did you mean min_accuracy or" in problem


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("update=twice", "algorithm_steps.update='twice': one of before, after, none is needed."),
        ("oversample=0", "algorithm_steps.oversample=0: int of at least 1 is needed."),
        ("mini_batch_size=0", "algorithm_steps.mini_batch_size=0: int of at least 1 | None is needed."),
        ("beta=0", "algorithm_steps.beta=0: float above 0 is needed."),
    ],
)
def test_the_steps_own_parameters(value: str, message: str) -> None:
    words = ["experiment=quickstart", "algorithm=prime", f"algorithm_steps.{value}"]
    assert [problem.message for problem in find_problems(compose_config(words), words)] == [message]


def test_mini_batches_of_both_models_make_up_a_step() -> None:
    words = ["data.train_batch_size=12", "actor_rollout_ref.actor.ppo_mini_batch_size=4"]
    (problem,) = problems("algorithm=prime", *words, "algorithm_steps.mini_batch_size=8")
    assert "whole mini-batches of both do not make up data.train_batch_size=12" in problem
    assert problems("algorithm=prime", *words, "algorithm_steps.mini_batch_size=6") == []
