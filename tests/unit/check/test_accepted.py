"""Override lists of the kind that verl's users write: none may raise a false alarm."""

from __future__ import annotations

import pytest

from harness.check.find import find_problems
from harness.config.compose import compose_config

A, R, M = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.model"
GPU = (
    "experiment=quickstart",
    "model=qwen3_0_6b",  # its 16 and 8 heads divide among two GPUs, the quick start's 9 and 3 do not
    "device=cuda",
    "rollout=vllm",
    "reward_fn=exact_match",
    "prepare.data.train_size=100000",
)
# verl's example scripts fix these for eight GPUs
EIGHT = ("trainer.n_gpus_per_node=8", "data.train_batch_size=1024", f"{A}.ppo_mini_batch_size=256",
         f"{A}.ppo_micro_batch_size_per_gpu=16", f"{R}.log_prob_micro_batch_size_per_gpu=16", f"{R}.n=8")  # fmt: skip

ACCEPTED: list[list[str]] = [
    # PPO and GRPO as in verl's examples
    [*GPU, *EIGHT, "algorithm.adv_estimator=grpo", "data.max_prompt_length=512", "data.max_response_length=1024"],
    [*GPU, *EIGHT, f"{A}.use_kl_loss=True", f"{A}.kl_loss_coef=0.001", f"{A}.kl_loss_type=low_var_kl"],
    [*GPU, *EIGHT, f"{A}.use_kl_loss=False", f"{A}.kl_loss_coef=0.0", "algorithm.use_kl_in_reward=False",
     "algorithm.kl_ctrl.kl_coef=0.0"],
    [*GPU, *EIGHT, "algorithm=ppo", "critic.optim.lr=1e-5", f"{A}.optim.lr=1e-6", "algorithm.lam=0.95"],
    [*GPU, *EIGHT, "algorithm=ppo", "critic.ppo_micro_batch_size_per_gpu=32", "critic.optim.lr_warmup_steps_ratio=0.05"],
    [*GPU, *EIGHT, "algorithm=ppo", "trainer.critic_warmup=10", "critic.cliprange_value=0.5"],
    [*GPU, *EIGHT, "algorithm.use_kl_in_reward=True", "algorithm.kl_ctrl.kl_coef=0.001", "algorithm.kl_penalty=kl"],
    [*GPU, *EIGHT, "algorithm.use_kl_in_reward=True", "algorithm.kl_ctrl.type=adaptive", "algorithm.kl_ctrl.horizon=10000"],
    # optimiser and schedule
    [*GPU, *EIGHT, f"{A}.optim.lr_scheduler_type=cosine", f"{A}.optim.min_lr_ratio=0.1", f"{A}.optim.weight_decay=0"],
    [*GPU, *EIGHT, f"{A}.optim.lr_warmup_steps=10", f"{A}.optim.betas=[0.9,0.95]", f"{A}.optim.clip_grad=0.5"],
    [*GPU, *EIGHT, f"{A}.ppo_epochs=4", f"{A}.shuffle=True", f"{A}.entropy_coeff=0.001"],
    [*GPU, *EIGHT, f"{A}.clip_ratio_low=0.2", f"{A}.clip_ratio_high=0.28", f"{A}.clip_ratio_c=10.0"],
    # memory
    [*GPU, *EIGHT, f"{M}.enable_gradient_checkpointing=True", f"{M}.use_remove_padding=True"],
    [*GPU, *EIGHT, f"{A}.fsdp_config.param_offload=True", f"{A}.fsdp_config.optimizer_offload=True"],
    [*GPU, *EIGHT, "actor_rollout_ref.ref.fsdp_config.param_offload=True", f"{A}.use_kl_loss=True"],
    [*GPU, *EIGHT, f"{A}.use_dynamic_bsz=True", f"{A}.ppo_max_token_len_per_gpu=24000",
     f"{R}.log_prob_use_dynamic_bsz=True"],
    [*GPU, *EIGHT, f"{A}.strategy=fsdp", f"{A}.fsdp_config.model_dtype=bf16"],
    [*GPU, *EIGHT, f"{A}.ulysses_sequence_parallel_size=2", f"{M}.use_remove_padding=True"],
    [*GPU, *EIGHT, f"{A}.fsdp_config.forward_prefetch=True", f"{A}.use_torch_compile=False"],
    # LoRA
    [*GPU, *EIGHT, f"{M}.lora_rank=32", f"{M}.lora_alpha=32", f"{M}.target_modules=all-linear"],
    [*GPU, *EIGHT, f"{M}.lora_rank=16", f"{M}.lora_alpha=16", f"{R}.load_format=safetensors", f"{R}.layered_summon=True"],
    # rollout
    [*GPU, *EIGHT, f"{R}.tensor_model_parallel_size=2", f"{R}.gpu_memory_utilization=0.6"],
    [*GPU, *EIGHT, f"{R}.enforce_eager=False", f"{R}.free_cache_engine=True", f"{R}.max_num_seqs=512"],
    [*GPU, *EIGHT, f"{R}.temperature=0.7", f"{R}.top_p=0.9", f"{R}.top_k=-1", f"{R}.calculate_log_probs=True"],
    [*GPU, *EIGHT, f"{R}.val_kwargs.temperature=0.6", f"{R}.val_kwargs.top_p=0.95", f"{R}.val_kwargs.n=16"],
    [*GPU, *EIGHT, "rollout=sglang", f"{R}.tensor_model_parallel_size=2"],
    [*GPU, *EIGHT, f"+{R}.engine_kwargs.vllm.disable_mm_preprocessor_cache=True"],
    [*GPU, *EIGHT, f"{R}.multi_turn.enable=True", f"{R}.multi_turn.max_assistant_turns=5", f"{R}.agent.num_workers=4"],
    [*GPU, *EIGHT, f"+{M}.override_config.attn_implementation=flash_attention_2"],
    # algorithms of the harness under verl's keys
    [*GPU, *EIGHT, "algorithm=dapo", "data.max_response_length=4096", "algorithm.filter_groups.max_num_gen_batches=20"],
    [*GPU, *EIGHT, "algorithm=dr_grpo", "data.max_response_length=3000"],
    [*GPU, *EIGHT, "algorithm=gspo", f"{A}.clip_ratio_low=0.0003", f"{A}.clip_ratio_high=0.0004"],
    [*GPU, *EIGHT, "algorithm=rloo", "algorithm.use_kl_in_reward=True", "algorithm.kl_penalty=kl"],
    [*GPU, *EIGHT, "algorithm=reinforce_plus_plus", "algorithm.gamma=1.0"],
    [*GPU, *EIGHT, "algorithm=prime", "algorithm_steps.optim.lr=1e-6", "algorithm_steps.beta=0.05"],
    [*GPU, *EIGHT, "algorithm=cispo", "algorithm.rollout_correction.rollout_is=token",
     "algorithm.rollout_correction.rollout_is_threshold=2.0", f"{R}.calculate_log_probs=True"],
    # asynchronous modes
    [*GPU, *EIGHT, "trainer.v1.trainer_mode=colocate_async"],
    [*GPU, *EIGHT, "trainer.v1.trainer_mode=separate_async", "trainer.v1.separate_async.parameter_sync_step=4"],
    # megatron
    [*GPU, *EIGHT, "engine=megatron", f"{A}.megatron.tensor_model_parallel_size=2",
     f"{A}.megatron.pipeline_model_parallel_size=2"],
    [*GPU, *EIGHT, "engine=megatron", f"{A}.megatron.param_offload=True", f"{A}.megatron.use_mbridge=True"],
    # data, logging, checkpoints
    [*GPU, *EIGHT, "data.filter_overlong_prompts=True", "data.truncation=error", "data.return_raw_chat=True"],
    [*GPU, *EIGHT, "trainer.logger=[console,wandb]", "trainer.project_name=verl_grpo", "trainer.experiment_name=7"],
    [*GPU, *EIGHT, "trainer.save_freq=20", "trainer.test_freq=5", "trainer.max_actor_ckpt_to_keep=3"],
    [*GPU, *EIGHT, f"{A}.checkpoint.save_contents=[model,optimizer,extra,hf_model]", "trainer.nnodes=2"],
    [*GPU, *EIGHT, "trainer.val_only=True", "trainer.val_before_train=True", "trainer.rollout_data_dir=/data/rollouts"],
    # on this machine
    ["experiment=quickstart_tiny", "algorithm=max_rl", "reward_fn=[reasoning_gym,length]"],
]  # fmt: skip


@pytest.mark.parametrize("overrides", ACCEPTED, ids=lambda words: " ".join(words[-2:])[:80])
def test_no_false_alarm(overrides: list[str]) -> None:
    problems = find_problems(compose_config(overrides), overrides)
    assert [str(problem) for problem in problems if not problem.warning] == []
