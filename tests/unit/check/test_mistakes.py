"""Mistakes that verl lets pass, each with the exact words it is told in: code, message, remedy."""

from __future__ import annotations

import pytest

from harness.check.find import find_problems
from harness.config.compose import compose_config

MISTAKES: list[tuple[list[str], list[tuple[str, str, str]]]] = [
    (
        ["algorithm.adv_estimator=grpoo"],
        [
            (
                "unknown-name",
                "algorithm.adv_estimator=grpoo: there is no such adv estimator.",
                "Did you mean grpo or rloo or gdpo?",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.policy_loss.loss_mode=nonsense"],
        [
            (
                "unknown-name",
                "actor_rollout_ref.actor.policy_loss.loss_mode=nonsense: there is no such loss mode.",
                "Allowed: bypass_mode, cispo, clip_cov, dppo_kl, dppo_tv, dro, geo_mean, gpg, gspo, kl_cov, sapo, vanilla.",
            )
        ],
    ),
    (
        ["reward.reward_manager.name=nonsense"],
        [
            (
                "unknown-name",
                "reward.reward_manager.name=nonsense: there is no such reward manager.",
                "Allowed: dapo, gdpo, naive, remote.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.optim.lr=fast"],
        [("wrong-type", "actor_rollout_ref.actor.optim.lr=fast: a number is needed.", "")],
    ),
    (
        ["+trainer.typo=3"],
        [
            (
                "unknown-key",
                "trainer.typo: nothing reads such a key under trainer.",
                "Allowed: balance_batch, checkpoint_callback_class, critic_warmup, default_hdfs_dir, default_local_dir, del_local_ckpt_after_load, device, esi_redundant_time, experiment_name, log_val_generations, logger, max_actor_ckpt_to_keep, max_critic_ckpt_to_keep, n_gpus_per_node, nnodes, project_name, ray_wait_register_center_timeout, resume_from_path, resume_mode, rollout_data_dir, save_freq, test_freq, total_epochs, total_training_steps, use_v1, v1, val_before_train, val_only, validation_data_dir.",
            )
        ],
    ),
    (["trainer.total_epochs=abc"], [("wrong-type", "trainer.total_epochs=abc: a whole number is needed.", "")]),
    (
        ["data.train_files=/no/such.parquet"],
        [
            (
                "file",
                "data.train_files: there is no file /no/such.parquet.",
                "Give the path of a parquet file in verl's layout.",
            )
        ],
    ),
    (
        ["algorithm=grpo", "actor_rollout_ref.rollout.n=1"],
        [
            (
                "batch",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=128 does not divide a worker's 16 responses a mini-batch.",
                "Use 16.",
            ),
            (
                "batch",
                "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu=128 does not divide a worker's 16 responses a mini-batch.",
                "Use 16.",
            ),
            (
                "algorithm",
                "actor_rollout_ref.rollout.n=1: algorithm.adv_estimator=grpo compares the responses to one prompt, and there is one.",
                "Use n of at least 2, such as 8, or an algorithm without groups (reinforce_plus_plus, ppo).",
            ),
        ],
    ),
    (["seed=abc"], [("wrong-type", "seed=abc: a whole number is needed.", "")]),
    (["seed=-1"], [("out-of-range", "seed=-1: a number of 0 or more is needed.", "")]),
    (["seed=2.5"], [("wrong-type", "seed=2.5: a whole number is needed.", "")]),
    (["name=[a]"], [("wrong-type", "name=['a']: a text is needed.", "")]),
    (["overlong_filtering=maybe"], [("wrong-type", "overlong_filtering=maybe: true or false is needed.", "")]),
    (
        ["actor_rollout_ref.actor.optim.lr=-1"],
        [("out-of-range", "actor_rollout_ref.actor.optim.lr=-1: a number of 0 or more is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.optim.lr=null"],
        [("wrong-type", "actor_rollout_ref.actor.optim.lr=null: a number is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.optim.lr=[1e-6]"],
        [("wrong-type", "actor_rollout_ref.actor.optim.lr=[1e-06]: a number is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.ppo_epochs=0"],
        [("out-of-range", "actor_rollout_ref.actor.ppo_epochs=0: a number of 1 or more is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.ppo_epochs=1.5"],
        [("wrong-type", "actor_rollout_ref.actor.ppo_epochs=1.5: a whole number is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.clip_ratio_high=-0.1"],
        [("out-of-range", "actor_rollout_ref.actor.clip_ratio_high=-0.1: a number of 0 or more is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.clip_ratio_c=0.5"],
        [("out-of-range", "actor_rollout_ref.actor.clip_ratio_c=0.5: a number above 1 is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.entropy_coeff=low"],
        [("wrong-type", "actor_rollout_ref.actor.entropy_coeff=low: a number is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.use_kl_loss=3"],
        [("wrong-type", "actor_rollout_ref.actor.use_kl_loss=3: true or false is needed.", "")],
    ),
    (
        ["actor_rollout_ref.actor.loss_agg_mode=token_mean"],
        [
            (
                "unknown-name",
                "actor_rollout_ref.actor.loss_agg_mode=token_mean: there is no such loss agg mode.",
                "Did you mean token-mean or token-sum or seq-mean-token-mean?",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.kl_loss_type=k9"],
        [
            (
                "unknown-name",
                "actor_rollout_ref.actor.kl_loss_type=k9: there is no such kl loss type.",
                "Allowed: abs, abs+, full, full+, k1, k1+, k2, k2+, k3, k3+, kl, kl+, low_var_kl, low_var_kl+, mse, mse+.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.optim.lr_scheduler_type=cosin"],
        [
            (
                "unknown-name",
                "actor_rollout_ref.actor.optim.lr_scheduler_type=cosin: there is no such lr scheduler type.",
                "Did you mean cosine?",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.optim.lr_warmup_steps_ratio=2"],
        [
            (
                "out-of-range",
                "actor_rollout_ref.actor.optim.lr_warmup_steps_ratio=2: a number from 0 to 1 is needed.",
                "",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.ppo_mini_batch_size=64"],
        [
            (
                "batch",
                "actor_rollout_ref.actor.ppo_mini_batch_size=64 is larger than data.train_batch_size=16.",
                "Use at most 16.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=100"],
        [
            (
                "batch",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=100 does not divide a worker's 128 responses a mini-batch.",
                "Use 64 or 128.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=null"],
        [
            (
                "batch",
                "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu: a number is needed, or actor_rollout_ref.actor.use_dynamic_bsz=true.",
                "Use 128 or a divisor of it.",
            ),
            (
                "batch",
                "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu: a number is needed, or actor_rollout_ref.actor.use_dynamic_bsz=true.",
                "Use 128 or a divisor of it.",
            ),
        ],
    ),
    (
        ["actor_rollout_ref.actor.strategy=fsdp"],
        [("device", "engine: fsdp does not train on a CPU.", "Use engine=fsdp2, or a GPU.")],
    ),
    (
        ["actor_rollout_ref.actor.clip_ratio=0.3"],
        [
            (
                "ignored",
                "actor_rollout_ref.actor.clip_ratio=0.3 does nothing: clip_ratio_low and clip_ratio_high, 0.2 by default, win over it.",
                "Set actor_rollout_ref.actor.clip_ratio_low and actor_rollout_ref.actor.clip_ratio_high.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.grad_clip=0.5"],
        [
            (
                "ignored",
                "actor_rollout_ref.actor.grad_clip=0.5 does nothing: the engine reads optim.clip_grad.",
                "Set actor_rollout_ref.actor.optim.clip_grad.",
            )
        ],
    ),
    (
        ["critic.grad_clip=0.5"],
        [
            (
                "ignored",
                "critic.grad_clip=0.5 does nothing: the engine reads optim.clip_grad.",
                "Set critic.optim.clip_grad.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.kl_loss_coef=0.01"],
        [
            (
                "ignored",
                "actor_rollout_ref.actor.kl_loss_coef=0.01 does nothing: actor_rollout_ref.actor.use_kl_loss is false.",
                "Set actor_rollout_ref.actor.use_kl_loss=true, or leave it out.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.kl_loss_type=k3"],
        [
            (
                "ignored",
                "actor_rollout_ref.actor.kl_loss_type=k3 does nothing: actor_rollout_ref.actor.use_kl_loss is false.",
                "Set actor_rollout_ref.actor.use_kl_loss=true, or leave it out.",
            )
        ],
    ),
    (
        ["algorithm.kl_ctrl.kl_coef=0.05"],
        [
            (
                "ignored",
                "algorithm.kl_ctrl.kl_coef=0.05 does nothing: algorithm.use_kl_in_reward is false.",
                "Set algorithm.use_kl_in_reward=true, or leave it out.",
            )
        ],
    ),
    (
        ["algorithm.use_pf_ppo=true"],
        [
            (
                "ignored",
                "algorithm.use_pf_ppo=True does nothing: verl's V1 trainer does not resample (and where its old trainer does, advantages go to the wrong responses).",
                "Leave it out.",
            )
        ],
    ),
    (
        ["algorithm.filter_groups.metric=acc"],
        [
            (
                "ignored",
                "algorithm.filter_groups.metric=acc does nothing: algorithm.filter_groups.enable is false.",
                "Set algorithm.filter_groups.enable=true, or leave it out.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.loss_scale_factor=100"],
        [
            (
                "ignored",
                "actor_rollout_ref.actor.loss_scale_factor=100 does nothing: only loss_agg_mode=seq-mean-token-sum-norm divides by it.",
                "Set actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm, or leave it out.",
            )
        ],
    ),
    (
        ["algorithm=dr_grpo", "actor_rollout_ref.actor.loss_scale_factor=null"],
        [
            (
                "fight",
                "actor_rollout_ref.actor.loss_scale_factor=null: loss_agg_mode=seq-mean-token-sum-norm then divides by the longest response of each micro-batch, which is not constant.",
                "Set it to the response limit: actor_rollout_ref.actor.loss_scale_factor=6.",
            )
        ],
    ),
    (
        ["algorithm=dapo", "algorithm.filter_groups.metric=seq_reward"],
        [
            (
                "fight",
                "algorithm.filter_groups.metric=seq_reward includes the overlong penalty, so groups whose answers are all right but differ in length stay.",
                "Set algorithm.filter_groups.metric=acc.",
            )
        ],
    ),
    (
        ["algorithm=rloo", "algorithm.norm_adv_by_std_in_grpo=true"],
        [
            (
                "ignored",
                "algorithm.norm_adv_by_std_in_grpo=True does nothing: only GRPO's advantages divide by the spread.",
                "Leave it out, or use algorithm=grpo.",
            )
        ],
    ),
    (
        ["algorithm=max_rl", "algorithm.adv_estimator=rloo"],
        [
            (
                "ignored",
                "algorithm.adv_estimator=rloo does nothing: advantage_fn computes the advantages.",
                "Leave it out, or set advantage_fn=verl.",
            )
        ],
    ),
    (
        ["algorithm=gmpo", "actor_rollout_ref.actor.policy_loss.loss_mode=gspo"],
        [
            (
                "ignored",
                "actor_rollout_ref.actor.policy_loss.loss_mode=gspo does nothing: policy_loss computes the loss.",
                "Leave it out, or set policy_loss=verl.",
            )
        ],
    ),
    (
        ["reward_model.reward_manager=dapo"],
        [
            (
                "ignored",
                "reward_model.reward_manager=dapo does nothing: verl's V1 trainer does not read this section.",
                "Set reward.reward_manager.name instead.",
            )
        ],
    ),
    (
        ["custom_reward_function.path=my.py"],
        [
            (
                "ignored",
                "custom_reward_function.path=my.py does nothing: verl's V1 trainer does not read this section.",
                "Set reward.custom_reward_function.path instead.",
            )
        ],
    ),
    (
        ["sandbox_fusion.url=http://x"],
        [
            (
                "ignored",
                "sandbox_fusion.url=http://x does nothing: verl's V1 trainer does not read this section.",
                "Set reward.sandbox_fusion.url instead.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.model.lora_alpha=16"],
        [
            (
                "ignored",
                "actor_rollout_ref.model.lora_alpha=16 does nothing: actor_rollout_ref.model.lora_rank is 0, so there is no LoRA.",
                "Set actor_rollout_ref.model.lora_rank.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.rollout.n=0"],
        [("out-of-range", "actor_rollout_ref.rollout.n=0: a number of 1 or more is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.n=two"],
        [("wrong-type", "actor_rollout_ref.rollout.n=two: a whole number is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.temperature=hot"],
        [("wrong-type", "actor_rollout_ref.rollout.temperature=hot: a number is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.temperature=0"],
        [("out-of-range", "actor_rollout_ref.rollout.temperature=0: a number above 0 is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.top_p=1.5"],
        [("out-of-range", "actor_rollout_ref.rollout.top_p=1.5: a number above 0 and at most 1 is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.top_k=0"],
        [("out-of-range", "actor_rollout_ref.rollout.top_k=0: -1 (all) or a number above 0 is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.name=vlm"],
        [("unknown-name", "actor_rollout_ref.rollout.name=vlm: there is no such rollout.", "Did you mean vllm?")],
    ),
    (
        ["actor_rollout_ref.rollout.gpu_memory_utilization=2"],
        [
            (
                "out-of-range",
                "actor_rollout_ref.rollout.gpu_memory_utilization=2: a number above 0 and at most 1 is needed.",
                "",
            )
        ],
    ),
    (
        ["actor_rollout_ref.rollout.tensor_model_parallel_size=0"],
        [
            (
                "out-of-range",
                "actor_rollout_ref.rollout.tensor_model_parallel_size=0: a number of 1 or more is needed.",
                "",
            )
        ],
    ),
    (
        ["actor_rollout_ref.rollout.val_kwargs.n=0"],
        [("out-of-range", "actor_rollout_ref.rollout.val_kwargs.n=0: a number of 1 or more is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.val_kwargs.temperature=-1"],
        [("out-of-range", "actor_rollout_ref.rollout.val_kwargs.temperature=-1: a number of 0 or more is needed.", "")],
    ),
    (
        ["actor_rollout_ref.rollout.calculate_log_probs=yes_please"],
        [("wrong-type", "actor_rollout_ref.rollout.calculate_log_probs=yes_please: true or false is needed.", "")],
    ),
    (["rollout=sglang"], [("device", "rollout=sglang needs a GPU.", "Use rollout=builtin.")]),
    (["data.train_batch_size=0"], [("out-of-range", "data.train_batch_size=0: a number of 1 or more is needed.", "")]),
    (["data.train_batch_size=12.5"], [("wrong-type", "data.train_batch_size=12.5: a whole number is needed.", "")]),
    (
        ["data.max_response_length=-1"],
        [("out-of-range", "data.max_response_length=-1: a number of 1 or more is needed.", "")],
    ),
    (["data.shuffle=perhaps"], [("wrong-type", "data.shuffle=perhaps: true or false is needed.", "")]),
    (
        ["data.val_files=[]", "data.val_files=/no/val.parquet"],
        [
            (
                "file",
                "data.val_files: there is no file /no/val.parquet.",
                "Give the path of a parquet file in verl's layout.",
            )
        ],
    ),
    (["trainer.nnodes=abc"], [("wrong-type", "trainer.nnodes=abc: a whole number is needed.", "")]),
    (
        ["trainer.n_gpus_per_node=0"],
        [("out-of-range", "trainer.n_gpus_per_node=0: a number of 1 or more is needed.", "")],
    ),
    (["trainer.save_freq=abc"], [("wrong-type", "trainer.save_freq=abc: a whole number is needed.", "")]),
    (
        ["trainer.logger=foo"],
        [
            (
                "unknown-name",
                "trainer.logger=foo: there is no such logger.",
                "Allowed: clearml, console, file, mlflow, rl_insight, swanlab, tensorboard, trackio, vemlp_wandb, wandb.",
            )
        ],
    ),
    (
        ["trainer.logger=[console,wandbb]"],
        [("unknown-name", "trainer.logger=wandbb: there is no such logger.", "Did you mean wandb or swanlab?")],
    ),
    (
        ["trainer.total_training_steps=0"],
        [("out-of-range", "trainer.total_training_steps=0: a number of 1 or more is needed.", "")],
    ),
    (
        ["trainer.total_training_steps=2.5"],
        [("wrong-type", "trainer.total_training_steps=2.5: a whole number is needed.", "")],
    ),
    (
        ["trainer.resume_mode=never"],
        [
            (
                "unknown-name",
                "trainer.resume_mode=never: there is no such resume mode.",
                "Allowed: auto, disable, resume_path.",
            )
        ],
    ),
    (
        ["trainer.v1.trainer_mode=asynk"],
        [("unknown-name", "trainer.v1.trainer_mode=asynk: there is no such trainer mode.", "Did you mean sync?")],
    ),
    (["trainer.val_before_train=1"], [("wrong-type", "trainer.val_before_train=1: true or false is needed.", "")]),
    (["algorithm.gamma=1.5"], [("out-of-range", "algorithm.gamma=1.5: a number from 0 to 1 is needed.", "")]),
    (
        ["algorithm.kl_penalty=kll"],
        [("unknown-name", "algorithm.kl_penalty=kll: there is no such kl penalty.", "Did you mean kl or kl+?")],
    ),
    (
        ["algorithm.norm_adv_by_std_in_grpo=2"],
        [("wrong-type", "algorithm.norm_adv_by_std_in_grpo=2: true or false is needed.", "")],
    ),
    (
        ["actor_rollout_ref.model.path=/no/model"],
        [
            (
                "model",
                "actor_rollout_ref.model.path: there is no folder /no/model.",
                "Give a model folder or a hub name such as Qwen/Qwen3-0.6B.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.model.lora_rank=-1"],
        [("out-of-range", "actor_rollout_ref.model.lora_rank=-1: a number of 0 or more is needed.", "")],
    ),
    (
        ["reward_fn.reasoning_gym.extract=5"],
        [
            (
                "wrong-type",
                "reward_fn.reasoning_gym.extract=5: one of auto, number, tag, mark, whole is needed.",
                "",
            )
        ],
    ),
    (
        ["reward_fn.reasoning_gym._target_=os.system"],
        [
            (
                "target",
                "reward_fn.reasoning_gym._target_: os.system is outside the trusted modules (harness, experiments, verl).",
                "If you trust it, add trusted_modules=[os] on the command line.",
            )
        ],
    ),
    (
        ["+advantage_fn._target_={new: 1}"],
        [("target", "advantage_fn._target_: {'new': 1} is no dotted name.", "Write module.Name.")],
    ),
    (
        ["+prepare.model._target_.new=1"],
        [("target", "prepare.model._target_: {'new': 1} is no dotted name.", "Write module.Name.")],
    ),
    (
        ["advantage_fn._target_=harness.advantages.grpo.grop"],
        [("target", "advantage_fn._target_: harness.advantages.grpo has no 'grop'.", "Did you mean grpo or Groups?")],
    ),
    (
        ["policy_loss._target_=harness.policy_losses.gmpo.gmpo", "+policy_loss.widht=2"],
        [
            (
                "parameter",
                "policy_loss.widht: harness.policy_losses.gmpo.gmpo takes no parameter 'widht'.",
                "Allowed: advantages, clip_high, clip_low, config, log_prob, loss_agg_mode, old_log_prob, response_mask, rollout_is_weights.",
            )
        ],
    ),
    (
        ["+actor_rollout_ref.actor.optim.leraning_rate=1"],
        [
            (
                "unknown-key",
                "actor_rollout_ref.actor.optim.leraning_rate: nothing reads such a key under actor_rollout_ref.actor.optim.",
                "Did you mean total_training_steps?",
            )
        ],
    ),
    (
        ["data=files"],
        [
            (
                "reference",
                "prepare.model.tasks: its value is taken from prepare.data.tasks, which this composition does not have.",
                "Choose options that go together (harness list), or set prepare.model.tasks=VALUE.",
            )
        ],
    ),
    (
        ["scoring.on_error=ignore"],
        [("scoring", "scoring.on_error='ignore' is not known.", "Choose one of zero, drop, stop.")],
    ),
    (["reward.num_workers=0"], [("out-of-range", "reward.num_workers=0: a number of 1 or more is needed.", "")]),
    (["reward.num_workers=many"], [("wrong-type", "reward.num_workers=many: a whole number is needed.", "")]),
    (
        ["algorithm=ppo", "critic.ppo_micro_batch_size_per_gpu=7"],
        [
            (
                "batch",
                "critic.ppo_micro_batch_size_per_gpu=7 does not divide a worker's 128 responses a mini-batch.",
                "Use 4 or 8.",
            )
        ],
    ),
    (
        ["algorithm=ppo", "critic.ppo_mini_batch_size=4000"],
        [("batch", "critic.ppo_mini_batch_size=4000 is larger than data.train_batch_size=16.", "Use at most 16.")],
    ),
    (
        ["algorithm=ppo", "critic.ppo_micro_batch_size_per_gpu=null"],
        [
            (
                "batch",
                "critic.ppo_micro_batch_size_per_gpu: a number is needed, or critic.use_dynamic_bsz=true.",
                "Use 128 or a divisor of it.",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.optim.optimizer=AdamWW"],
        [
            (
                "unknown-name",
                "actor_rollout_ref.actor.optim.optimizer=AdamWW: there is no such optimizer.",
                "Did you mean AdamW or Adam or RAdam?",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.optim.optimizer_impl=bitsandbites.optim"],
        [
            (
                "unknown-name",
                "actor_rollout_ref.actor.optim.optimizer_impl=bitsandbites.optim: there is no such module here.",
                "Use torch.optim, or install the package.",
            )
        ],
    ),
    (
        ["engine=megatron", "device=cuda", "actor_rollout_ref.actor.optim.optimizer=AdamW"],
        [
            (
                "unknown-name",
                "actor_rollout_ref.actor.optim.optimizer=AdamW: there is no such optimizer.",
                "Did you mean adam?",
            )
        ],
    ),
    (
        ["engine=megatron", "device=cuda", "actor_rollout_ref.actor.megatron.tensor_model_parallel_size=0"],
        [
            (
                "out-of-range",
                "actor_rollout_ref.actor.megatron.tensor_model_parallel_size=0: a number of 1 or more is needed.",
                "",
            )
        ],
    ),
    (
        ["actor_rollout_ref.actor.checkpoint.async_save=true"],
        [
            (
                "checkpoint",
                "actor_rollout_ref.actor.checkpoint.async_save=true: verl's V1 trainer never ends such a save, so no run "
                "could go on from it.",
                "Leave it false.",
            )
        ],
    ),
    (
        ["advantage_fn._target_=harness.launch.doctor.os.system"],
        [
            (
                "target",
                "advantage_fn._target_: harness.launch.doctor.os.system is reached through harness.launch.doctor and "
                "defined in os, which is not trusted.",
                "Name one of a trusted module.",
            )
        ],
    ),
]


@pytest.mark.parametrize(
    ("words", "told"), MISTAKES, ids=lambda value: " ".join(value)[:80] if isinstance(value[0], str) else ""
)
def test_a_mistake_is_told(words: list[str], told: list[tuple[str, str, str]]) -> None:
    overrides = ["experiment=quickstart_tiny", *words]
    problems = find_problems(compose_config(overrides), overrides)
    assert [(problem.code, problem.message, problem.remedy) for problem in problems] == told
