"""Every experiment: composes, passes the check, and sets what it says it does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from experiments.reward_sql import train_verl
from harness.check.find import find_problems
from harness.config.compose import compose_config, resolve

FOLDER = Path(train_verl.__file__).parent / "conf" / "experiment" / "reward_sql"
EXPERIMENTS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
ADVANTAGES = "experiments.reward_sql.advantages"

SETS: dict[str, dict[str, Any]] = {
    "grpo": {"algorithm.adv_estimator": "grpo", "advantage_fn._target_": None},
    "weighted_grpo": {"advantage_fn._target_": f"{ADVANTAGES}.weighted_grpo.weighted_grpo"},
    "process": {
        "advantage_fn._target_": f"{ADVANTAGES}.average_unique.average_unique",
        "reward_manager._target_": "experiments.reward_sql.process.manager.SqlProcessRewardManager",
        "reward_manager.rm_coef": 1.0,
        "reward_manager.reward_coef": 1.0,
        "reward_manager.scorer._target_": "experiments.reward_sql.process.rules.StepRules",
    },
    "dapo": {
        "algorithm.filter_groups.enable": True,
        "reward_manager._target_": "harness.reward_managers.overlong.OverlongRewardManager",
        "actor_rollout_ref.actor.clip_ratio_high": 0.28,
    },
    "prime": {"algorithm_steps._target_": "harness.backend.prime.steps.PrimeSteps"},
    "dr_grpo": {"algorithm.norm_adv_by_std_in_grpo": False},
    "ppo": {"algorithm.adv_estimator": "gae", "critic.enable": True},
    "paper_7b": {"data.train_batch_size": 48},
}


def test_every_experiment_is_here() -> None:
    assert set(SETS) == set(EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_composes_checks_and_sets(experiment: str) -> None:
    words = [f"experiment=reward_sql/{experiment}"]
    config = compose_config(words)
    found = find_problems(config, words)
    absent = [problem.key for problem in found if problem.warning and problem.code == "file"]
    assert absent == (
        ["prepare.data.train", "prepare.data.dev"] if experiment == "paper_7b" else []
    )  # BIRD is not here
    assert [str(problem) for problem in found if problem.key not in absent] == []
    resolved = resolve(config)
    wanted = {**SETS[experiment], "reward_fn.sql_execution.weight": 1.0}
    assert {key: OmegaConf.select(resolved, key) for key in wanted} == wanted
    assert resolved.reward_fn.sql_execution.databases == f"{resolved.prepare.data.path}/databases"
    assert next(iter(resolved.reward_fn)) == "sql_execution"  # which decides what validation reports


@pytest.mark.parametrize("experiment", sorted(set(EXPERIMENTS) - {"paper_7b"}))
def test_the_rewards_can_be_exchanged(experiment: str) -> None:
    words = [f"experiment=reward_sql/{experiment}", "reward_fn=[sql_execution]", "reward_fn.sql_execution.order=never"]
    assert [str(problem) for problem in find_problems(compose_config(words), words)] == []
