"""What the advantages are made of: told before anything starts where it is not there, or not all of it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.check.advantage import advantage_problems
from harness.check.schema import verl_folder
from harness.config.compose import compose_config, resolved_tree

GDPO = ("algorithm=gdpo", "reward_fn=[exact_match,format_tags]")


def problems(*overrides: str) -> dict[str, str]:
    """Key → message and remedy."""
    tree = resolved_tree(compose_config(["experiment=quickstart_tiny", *overrides]))
    return {problem.key: str(problem) for problem in advantage_problems(tree)}


def test_gdpo_does_not_see_a_kl_penalty_in_the_reward() -> None:
    found = problems(*GDPO, "algorithm.use_kl_in_reward=true")
    assert "reads the scores of reward_fn's functions alone" in found["algorithm.use_kl_in_reward"]
    assert "use_kl_loss=true" in found["algorithm.use_kl_in_reward"]
    assert problems(*GDPO) == problems("algorithm=grpo", "algorithm.use_kl_in_reward=true") == {}


@pytest.mark.parametrize(
    "manager", ["reward_manager=overlong", "+reward.reward_kwargs.overlong_buffer_cfg.enable=true"]
)
def test_gdpo_does_not_see_the_penalty_for_long_responses(manager: str) -> None:
    assert "does nothing" in problems(*GDPO, manager)["reward_manager"]
    assert problems("algorithm=gdpo", manager) == {}, "of a single function the reward itself is taken, penalty and all"


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        ("remax", "Use algorithm=remax."),
        ("gdpo", "Use algorithm=gdpo."),
        ("optimal_token_baseline", "sum_pi_squared"),
        ("tir_optimal_token_baseline", "sum_pi_squared"),
        ("gae", "there is no critic (critic.enable=false)"),
    ],
)
def test_estimators_of_verls_that_get_no_input(estimator: str, words: str) -> None:
    found = problems(f"algorithm.adv_estimator={estimator}")
    assert list(found) == ["algorithm.adv_estimator"]
    assert words in found["algorithm.adv_estimator"]


def test_verls_v1_trainer_still_does_not_feed_them() -> None:
    source = (verl_folder() / "trainer/ppo/v1/trainer_base.py").read_text()
    fed = source[source.index("def _compute_advantage") : source.index("def _update_critic")]
    assert "reward_baselines" not in fed
    assert "sum_pi_squared" not in fed
    assert 'non_tensor_batch["uid"]' in fed
    assert fed.count("non_tensor_batch") == 1, "GDPO's scores of each reward would be other fields of it"


@pytest.mark.parametrize("estimator", ["grpo", "rloo", "opo", "reinforce_plus_plus", "grpo_passk", "gpg"])
def test_the_others_get_theirs(estimator: str) -> None:
    assert problems(f"algorithm.adv_estimator={estimator}") == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["advantage_fn=gae"], "needs values: there is no critic (critic.enable=false)"),
        (["advantage_fn=prime"], "needs process_rewards: no algorithm_steps make them"),
        (["algorithm=prime", "algorithm_steps=null"], "needs process_rewards"),
    ],
)
def test_functions_that_get_no_input(words: list[str], message: str) -> None:
    assert message in problems(*words)["advantage_fn"]


@pytest.mark.parametrize("words", [["algorithm=ppo", "advantage_fn=gae"], ["algorithm=prime"], ["advantage_fn=remax"]])
def test_functions_that_get_it(words: list[str]) -> None:
    assert problems(*words) == {}


OWN = """
def all_of_it(token_level_rewards, ref_log_prob, rollout_log_probs, entropy, values, category, scale=1.0): ...
def as_it_likes(token_level_rewards, ref_log_prob=None, entropy=None, values=None): ...
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return ["advantage_fn=custom", "advantage_fn.module=own.py"]


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ("values", []),
        ("ref_log_prob", ["algorithm=ppo"]),
        ("rollout_log_probs", ["algorithm=ppo", "actor_rollout_ref.rollout.calculate_log_probs=false"]),
        ("entropy", ["algorithm=ppo", "algorithm.rollout_correction.bypass_mode=true"]),
    ],
)
def test_a_function_of_the_users_own(own: list[str], lacking: str, words: list[str]) -> None:
    tree = resolved_tree(
        compose_config(["experiment=quickstart_tiny", *own, "advantage_fn.function=all_of_it", *words])
    )
    messages = [problem.message for problem in advantage_problems(tree)]
    assert any(f"own.py:all_of_it) needs {lacking}: " in message for message in messages)
    assert not any("category" in message for message in messages), "it may be a column of the data"
    assert problems(*own, "advantage_fn.function=as_it_likes", *words) == {}


def test_steps_of_the_users_own_may_add_any_column(own: list[str]) -> None:
    steps = ["+algorithm_steps._target_=harness.backend.steps.AlgorithmSteps"]
    assert problems(*own, "advantage_fn.function=all_of_it", *steps) == {}
