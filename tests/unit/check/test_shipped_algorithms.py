"""Every shipped algorithm: composes, passes the check, and sets what it says it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.check.find import find_problems
from harness.config.compose import compose_config, resolve

FOLDER = Path(__file__).resolve().parents[3] / "conf" / "algorithm"
ALGORITHMS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
EXPERIMENTS = ("quickstart", "quickstart_tiny")

SETS: dict[str, dict[str, Any]] = {
    "ppo": {"algorithm.adv_estimator": "gae", "critic.enable": True},
    "grpo": {"algorithm.adv_estimator": "grpo", "algorithm.norm_adv_by_std_in_grpo": True, "critic.enable": False},
    "dr_grpo": {
        "algorithm.norm_adv_by_std_in_grpo": False,
        "actor_rollout_ref.actor.loss_agg_mode": "seq-mean-token-sum-norm",
        "actor_rollout_ref.actor.loss_scale_factor": 12,
    },
    "dapo": {
        "algorithm.filter_groups.enable": True,
        "algorithm.filter_groups.metric": "acc",
        "algorithm.filter_groups.max_num_gen_batches": 10,
        "actor_rollout_ref.actor.clip_ratio_low": 0.2,
        "actor_rollout_ref.actor.clip_ratio_high": 0.28,
        "actor_rollout_ref.actor.clip_ratio_c": 10.0,
        "actor_rollout_ref.actor.loss_agg_mode": "token-mean",
        "reward_manager._target_": "harness.reward_managers.overlong.OverlongRewardManager",
        "reward_manager.max_response_length": 12,
    },
    "prime": {
        "advantage_fn._target_": "harness.advantages.prime.prime",
        "algorithm_steps.update": "before",
        "algorithm_steps.beta": 0.05,
        "algorithm_steps.oversample": 4,
        "algorithm_steps.filter.min_accuracy": 0.2,
    },
    "rloo": {"algorithm.adv_estimator": "rloo_vectorized"},
    "reinforce_plus_plus": {"algorithm.adv_estimator": "reinforce_plus_plus"},
    "reinforce_plus_plus_baseline": {"algorithm.adv_estimator": "reinforce_plus_plus_baseline"},
    "opo": {"algorithm.adv_estimator": "opo"},
    "gpg": {"algorithm.adv_estimator": "gpg", "actor_rollout_ref.actor.policy_loss.loss_mode": "gpg"},
    "gspo": {
        "actor_rollout_ref.actor.policy_loss.loss_mode": "gspo",
        "actor_rollout_ref.actor.clip_ratio_low": 3e-4,
        "actor_rollout_ref.actor.clip_ratio_high": 4e-4,
    },
    "cispo": {"actor_rollout_ref.actor.policy_loss.loss_mode": "cispo", "actor_rollout_ref.actor.clip_ratio_low": 10},
    "sapo": {"actor_rollout_ref.actor.policy_loss.loss_mode": "sapo", "actor_rollout_ref.actor.tau_neg": 1.05},
    "dppo": {
        "actor_rollout_ref.actor.policy_loss.loss_mode": "dppo_tv",
        "algorithm.norm_adv_by_std_in_grpo": False,
        "algorithm.rollout_correction.bypass_mode": True,
        "actor_rollout_ref.rollout.calculate_log_probs": True,
        "actor_rollout_ref.actor.clip_ratio_c": 1e4,
        "actor_rollout_ref.actor.loss_scale_factor": 12,
    },
    "clip_cov": {"actor_rollout_ref.actor.policy_loss.clip_cov_ratio": 2e-4},
    "kl_cov": {"actor_rollout_ref.actor.policy_loss.kl_cov_ratio": 0.002},
    "max_rl": {"advantage_fn._target_": "harness.advantages.max_rl.max_rl"},
    "gmpo": {"policy_loss._target_": "harness.policy_losses.gmpo.gmpo", "policy_loss.clip_high": 0.4},
    "remax": {"advantage_fn._target_": "harness.advantages.remax.remax"},
    "gdpo": {"advantage_fn._target_": "harness.advantages.gdpo.gdpo"},
    "grpo_passk": {"advantage_fn._target_": "harness.advantages.grpo_passk.grpo_passk"},
}
SETS["drgrpo"] = SETS["dr_grpo"]


def test_every_algorithm_is_in_the_table() -> None:
    assert sorted(SETS) == ALGORITHMS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_sets_its_keys(algorithm: str) -> None:
    config = resolve(compose_config(["experiment=quickstart", f"algorithm={algorithm}"]))
    assert {key: OmegaConf.select(config, key) for key in SETS[algorithm]} == SETS[algorithm]


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_passes_the_check_with_the_name_alone(algorithm: str, experiment: str) -> None:
    config = compose_config([f"experiment={experiment}", f"algorithm={algorithm}"])
    assert [str(problem) for problem in find_problems(config)] == []


def test_the_command_line_beats_the_algorithm() -> None:
    overrides = ["experiment=quickstart", "algorithm=dr_grpo", "actor_rollout_ref.actor.loss_scale_factor=99"]
    assert compose_config(overrides).actor_rollout_ref.actor.loss_scale_factor == 99
    assert compose_config(["experiment=quickstart", "algorithm=max_rl", "advantage_fn=rloo"]).advantage_fn._target_ == (
        "harness.advantages.rloo.rloo"
    )


@pytest.mark.parametrize(("algorithm", "divides"), [("grpo", True), ("dr_grpo", False), ("dppo", False)])
@pytest.mark.parametrize("function", ["grpo", "grpo_passk"])
def test_our_functions_divide_by_the_spread_where_the_algorithm_says_so(
    algorithm: str, divides: bool, function: str
) -> None:
    config = resolve(compose_config(["experiment=quickstart", f"algorithm={algorithm}", f"advantage_fn={function}"]))
    assert config.advantage_fn.normalise_by_std is divides
