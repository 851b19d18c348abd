"""Each entry of the list of ignored options is true of the installed verl."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.check.ignored import IGNORED, Ignored, ignored_problems
from harness.check.schema import verl_folder
from harness.config.compose import compose_config, resolved_tree

A, R = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
V1 = "trainer/ppo/v1"
# first key of an entry → files or folders of verl, and a text that has to be there (or, after "no ", must not)
EVIDENCE: dict[str, list[tuple[str, str]]] = {
    f"{A}.clip_ratio": [("trainer/ppo/core_algos.py", "config.clip_ratio_low if config.clip_ratio_low is not None")],
    f"{A}.grad_clip": [
        ("workers/engine/fsdp/transformer_impl.py", "optimizer_config.clip_grad"),
        ("workers/engine/fsdp", "no grad_clip"),
        ("workers/engine_workers.py", "no grad_clip"),
    ],
    "critic.grad_clip": [("workers/engine/fsdp", "no grad_clip")],
    f"{A}.kl_loss_coef": [("workers/utils/losses.py", "if config.use_kl_loss:")],
    "algorithm.kl_ctrl.*": [(f"{V1}/trainer_base.py", "if self.config.algorithm.use_kl_in_reward:")],
    "actor_rollout_ref.ref.*": [("trainer/ppo/utils.py", "False) or config.actor_rollout_ref.actor.use_kl_loss")],
    "critic.*": [("trainer/ppo/utils.py", "if config.critic.enable is not None")],
    "algorithm.adv_estimator": [],  # this project's own: HarnessTrainer._compute_advantage
    f"{A}.policy_loss.loss_mode": [],  # this project's own: harness.backend.workers
    "algorithm.norm_adv_by_std_in_grpo": [("trainer/ppo/core_algos.py", "norm_adv_by_std_in_grpo")],
    "algorithm.lam": [],  # measured by tests/integration/test_conformance.py
    "algorithm.gamma": [],  # the same
    "algorithm.use_pf_ppo": [(V1, "no pf_ppo")],
    "algorithm.filter_groups.metric": [(f"{V1}/trainer_base.py", "filter_groups")],
    f"{R}.val_kwargs.do_sample": [(V1, "no val_kwargs.do_sample"), ("experimental/agent_loop", "no val_kwargs.do_sample")],
    f"{A}.ppo_micro_batch_size_per_gpu": [("workers/engine/utils.py", "if use_dynamic_bsz:")],
    f"{A}.ppo_max_token_len_per_gpu": [("workers/engine/utils.py", "if use_dynamic_bsz:")],
    "actor_rollout_ref.model.lora_alpha": [("workers/engine/fsdp/transformer_impl.py", "lora_rank")],
    "actor_rollout_ref.model.lora_rank": [("workers/engine/megatron", "no lora_rank"), ("workers/engine/megatron", '"lora"')],
    f"{A}.loss_scale_factor": [("trainer/ppo/core_algos.py", 'if loss_agg_mode == "seq-mean-token-sum-norm"')],
    "reward_model.*": [(V1, "no config.reward_model"), (V1, "no config.custom_reward_function")],
}  # fmt: skip


def source(path: str) -> str:
    place: Path = verl_folder() / path
    files = sorted(place.glob("**/*.py")) if place.is_dir() else [place]
    return "\n".join(file.read_text() for file in files)


def test_every_entry_has_its_evidence() -> None:
    assert {rule.keys[0] for rule in IGNORED} == set(EVIDENCE)


@pytest.mark.parametrize("rule", IGNORED, ids=lambda rule: rule.keys[0])
def test_the_evidence_is_there(rule: Ignored) -> None:
    for path, text in EVIDENCE[rule.keys[0]]:
        wanted = not text.startswith("no ")
        assert (text.removeprefix("no ") in source(path)) == wanted, (path, text)


@pytest.mark.parametrize(("algorithm", "told"), [("remax", True), ("grpo", True), ("reinforce_plus_plus", False)])
def test_a_discount_acts_on_rewards_to_go_alone_and_not_on_remaxs(algorithm: str, told: bool) -> None:
    words = ["experiment=quickstart_tiny", f"algorithm={algorithm}", "algorithm.gamma=0.5"]
    found = ignored_problems(resolved_tree(compose_config(words)), {"algorithm.gamma": 0.5})
    assert [problem.key for problem in found if problem.warning] == ["algorithm.gamma"] * told
