"""The values that published runs were trained with, written out a second time: a change of a shipped one fails here.

Each from the source that the experiment's file names: the scripts in verl, sail-sg/understand-r1-zero and PRIME-RL/PRIME,
and the papers DAPO (arXiv:2503.14476), Dr.GRPO (arXiv:2503.20783) and PRIME (arXiv:2502.01456).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.config.compose import compose_config, resolved_tree

ROOT = Path(__file__).resolve().parents[3]
POLICY = "actor_rollout_ref."
NO_KL = {POLICY + "actor.use_kl_loss": False, "algorithm.use_kl_in_reward": False}
ONE_CLIP = {POLICY + "actor.clip_ratio_low": 0.2, POLICY + "actor.clip_ratio_high": 0.2}
SAMPLED = {POLICY + "rollout.temperature": 1.0, POLICY + "rollout.top_p": 1.0, POLICY + "actor.ppo_epochs": 1}


def sizes(prompts: int, responses: int, mini: int, lengths: tuple[int, int], lr: float) -> dict[str, Any]:
    """Prompts of a step and of an update, responses to each, longest prompt and response, the policy's learning rate."""
    return {
        "data.train_batch_size": prompts,
        POLICY + "rollout.n": responses,
        POLICY + "actor.ppo_mini_batch_size": mini,
        "data.max_prompt_length": lengths[0],
        "data.max_response_length": lengths[1],
        POLICY + "actor.optim.lr": lr,
    }


DAPO = NO_KL | SAMPLED | {
    POLICY + "actor.clip_ratio_low": 0.2,
    POLICY + "actor.clip_ratio_high": 0.28,
    POLICY + "actor.clip_ratio_c": 10.0,
    POLICY + "actor.loss_agg_mode": "token-mean",
    POLICY + "actor.entropy_coeff": 0,
    POLICY + "actor.optim.weight_decay": 0.1,
    POLICY + "actor.optim.lr_warmup_steps": 10,
    POLICY + "actor.grad_clip": 1.0,
    POLICY + "rollout.val_kwargs.n": 32,
    POLICY + "rollout.val_kwargs.temperature": 1.0,
    POLICY + "rollout.val_kwargs.top_p": 0.7,
    "reward_manager.buffer_length": 4096,
    "reward_manager.penalty": 1.0,
    "algorithm.norm_adv_by_std_in_grpo": True,
}  # fmt: skip
DR_GRPO = NO_KL | ONE_CLIP | SAMPLED | sizes(128, 8, 16, (1024, 3000), 1e-6) | {
    POLICY + "actor.loss_agg_mode": "seq-mean-token-sum-norm",
    POLICY + "actor.loss_scale_factor": 3000,
    POLICY + "actor.optim.betas": [0.9, 0.95],
    POLICY + "actor.optim.weight_decay": 0.0,
    POLICY + "rollout.val_kwargs.temperature": 0,
    "algorithm.norm_adv_by_std_in_grpo": False,
}  # fmt: skip
PRIME = NO_KL | ONE_CLIP | SAMPLED | {
    "algorithm_steps.beta": 0.05,
    "algorithm_steps.optim.lr": 1e-6,
    "algorithm_steps.optim.clip_grad": 10.0,
    "algorithm_steps.filter.min_accuracy": 0.2,
    "algorithm_steps.filter.max_accuracy": 0.8,
    "algorithm_steps.filter.drop_truncated": True,
}  # fmt: skip
GRPO = ONE_CLIP | SAMPLED | {
    POLICY + "actor.use_kl_loss": True,
    POLICY + "actor.kl_loss_coef": 0.001,
    POLICY + "actor.kl_loss_type": "low_var_kl",
    POLICY + "actor.entropy_coeff": 0,
    "algorithm.use_kl_in_reward": False,
    "algorithm.norm_adv_by_std_in_grpo": True,
    "trainer.total_epochs": 15,
}  # fmt: skip
PUBLISHED: dict[str, dict[str, Any]] = {
    "dapo_qwen2_5_32b": DAPO | sizes(512, 16, 32, (2048, 20480), 1e-6) | {
        POLICY + "model.path": "Qwen/Qwen2.5-32B",
        "algorithm.filter_groups.enable": True,
        "algorithm.filter_groups.metric": "acc",
        "reward_manager.max_response_length": 20480,
    },
    "dapo_qwen2_5_math_7b": DAPO | sizes(512, 16, 32, (2048, 8192), 1e-6) | {
        POLICY + "model.path": "Qwen/Qwen2.5-Math-7B",
        "algorithm.filter_groups.enable": False,
        "reward_manager.max_response_length": 8192,
    },
    "dr_grpo_qwen2_5_math_7b": DR_GRPO | {
        POLICY + "model.path": "Qwen/Qwen2.5-Math-7B",
        "prepare.data.levels": [3, 4, 5],
    },
    "dr_grpo_qwen2_5_math_1_5b": DR_GRPO | {
        POLICY + "model.path": "Qwen/Qwen2.5-Math-1.5B",
        "prepare.data.levels": [1, 2, 3, 4, 5],
    },
    "prime_eurus_2_7b": PRIME | sizes(256, 4, 256, (1024, 3072), 5e-7) | {
        POLICY + "model.path": "PRIME-RL/Eurus-2-7B-SFT",
        POLICY + "actor.entropy_coeff": 0.0,
        "algorithm_steps.update": "after",
        "algorithm_steps.oversample": 1,
        "trainer.total_epochs": 1,
    },
    "prime_qwen2_5_0_5b": PRIME | sizes(64, 4, 64, (1024, 3072), 5e-7) | {
        POLICY + "model.path": "Qwen/Qwen2.5-0.5B-Instruct",
        POLICY + "actor.entropy_coeff": 0.001,
        "algorithm_steps.update": "before",
        "algorithm_steps.oversample": 4,
        "trainer.total_epochs": 15,
    },
    "grpo_gsm8k": GRPO | sizes(1024, 5, 256, (512, 1024), 1e-6) | {
        POLICY + "model.path": "Qwen/Qwen2-7B-Instruct",
        POLICY + "model.lora_rank": 0,
    },
    "grpo_lora_gsm8k": GRPO | sizes(64, 5, 64, (512, 1024), 3e-6) | {
        POLICY + "model.path": "Qwen/Qwen2.5-3B-Instruct",
        POLICY + "model.lora_rank": 32,
        POLICY + "model.lora_alpha": 32,
    },
}  # fmt: skip


def flat(node: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys of a tree with their values."""
    found: dict[str, Any] = {}
    for name, value in node.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


@pytest.mark.parametrize("experiment", PUBLISHED)
def test_a_published_run_has_its_values(experiment: str) -> None:
    values, expected = flat(resolved_tree(compose_config([f"experiment={experiment}"]))), PUBLISHED[experiment]
    assert {key: values.get(key) for key in expected} == expected


def test_every_published_run_is_written_out() -> None:
    shipped = {file.stem for file in (ROOT / "conf/experiment").glob("*.yaml")}
    assert shipped == set(PUBLISHED) | {"quickstart", "quickstart_tiny"}
