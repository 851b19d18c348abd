"""The published run: its values, the check, and what Slurm would be given."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from harness.check.find import find_problems
from harness.config.compose import compose_config, resolve
from harness.launch.sweep.start import dry_sweep

WORDS = ["experiment=reward_sql/paper_7b"]
PUBLISHED = {
    "data.max_prompt_length": 8192,
    "data.max_response_length": 512,
    "data.train_batch_size": 48,
    "actor_rollout_ref.rollout.n": 8,
    "actor_rollout_ref.rollout.temperature": 1.0,
    "actor_rollout_ref.actor.optim.lr": 1e-6,
    "actor_rollout_ref.actor.clip_ratio_low": 0.2,
    "actor_rollout_ref.actor.clip_ratio_high": 0.2,
    "actor_rollout_ref.actor.entropy_coeff": 0.001,
    "actor_rollout_ref.actor.use_kl_loss": True,
    "actor_rollout_ref.actor.kl_loss_coef": 0.001,
    "actor_rollout_ref.actor.kl_loss_type": "low_var_kl",
    "trainer.total_epochs": 3,
    "trainer.n_gpus_per_node": 8,
    "reward_fn.sql_execution.seconds": 60,
    "prepare.data.benchmark": "bird",
    "reward_manager.scorer._target_": "experiments.reward_sql.process.model.StepModel",
    "advantage_fn._target_": "experiments.reward_sql.advantages.average_unique.average_unique",
}


def problems(config: DictConfig, words: list[str]) -> list[str]:
    """What the check tells, but for BIRD's folders, which are not here."""
    found = find_problems(config, words)
    return [str(each) for each in found if not (each.warning and each.key.startswith("prepare.data."))]


def test_folders_that_are_not_there_are_told(tmp_path: Path) -> None:
    words = [*WORDS, f"prepare.data.train={tmp_path}/none", f"prepare.data.dev={tmp_path}"]
    (found,) = find_problems(compose_config(words), words)
    assert found.warning
    assert (
        found.message == f"prepare.data.train={tmp_path}/none: there is no such folder here, and the recipe reads it."
    )
    assert found.origin == "the command line"


def test_published_values_and_no_problem() -> None:
    config = compose_config(WORDS)
    assert problems(config, WORDS) == []
    resolved = resolve(config)
    assert {key: OmegaConf.select(resolved, key) for key in PUBLISHED} == PUBLISHED
    assert resolved.prepare.data.tokenizer == "Qwen/Qwen2.5-Coder-7B-Instruct"
    assert list(resolved.reward_fn) == ["sql_execution"]
    assert resolved.reward_fn.sql_execution.databases == f"{resolved.prepare.data.path}/databases"


def test_slurm_would_be_given_eight_gpus() -> None:
    script = dry_sweep(WORDS)
    assert "#SBATCH --gpus-per-node=8" in script
    assert "#SBATCH --job-name=reward_sql_7b" in script
    assert "url: http://localhost:5050/compute_score" in script


def test_the_outcome_alone_or_rules_in_place_of_the_model() -> None:
    released = compose_config([*WORDS, "reward_manager.rm_coef=0"])
    assert released.reward_manager.rm_coef == 0
    words = [*WORDS, "reward_manager=sql_process"]
    config = compose_config(words)
    assert problems(config, words) == []
    assert config.reward_manager.scorer._target_ == "experiments.reward_sql.process.rules.StepRules"
    assert "url" not in config.reward_manager.scorer


def test_spider_and_another_model() -> None:
    words = [*WORDS, "data=reward_sql_spider", "actor_rollout_ref.model.path=Qwen/Qwen2.5-Coder-1.5B-Instruct"]
    config = compose_config(words)
    assert problems(config, words) == []
    assert config.prepare.data.benchmark == "spider"
