"""What the advantages are made of: told before anything starts where it is not there, or not all of it counts."""

from __future__ import annotations

import pytest

from harness.check.advantage import advantage_problems
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
