"""What each option of an algorithm does to the loss that verl's trainer and worker compute; prints JSON.

Run by `runs.script_result`: conformance.py FOLDER_OF_THE_MODEL FOLDER_FOR_RECORDS

The trainer's own steps (old log-probs, advantages, actor update) run on one batch, with the worker in this process and
TransferQueue between them. Each algorithm is measured as its name composes it, then once for each key in which it
differs from GRPO, with that key set back to GRPO's value: a key that changes nothing is printed as such.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
import transfer_queue as tq
from omegaconf import DictConfig, OmegaConf
from transfer_queue import KVBatchMeta
from verl.trainer.ppo.core_algos import get_kl_controller
from verl.trainer.ppo.padding_utils import SYNTHETIC_PADDING_SEQ_LEN, upsample_batch_to_divisible_size

from harness.backend.columns import read_columns, write_columns
from harness.backend.recorder import Recorder
from harness.backend.steps import AlgorithmSteps
from harness.backend.task_runner import frozen
from harness.backend.trainer import HarnessTrainerSync
from harness.backend.trajectories import ragged_fields
from harness.backend.workers import COMPONENTS_KEY, HarnessActorWorker
from harness.config.compose import compose_config, resolve
from harness.records.run_folder import RunFolder
from harness.records.signs import RUN

PROMPTS, RESPONSES, LIMIT = 4, 4, 256
# groups of `algorithm=` that are one choice, with the name of what GRPO uses
NODES = {"advantage_fn": "verl", "policy_loss": "verl"}
# keys that act elsewhere than on the loss of a batch, and the tests that see them act
ELSEWHERE = {
    "algorithm.filter_groups": "which prompts are kept: test_dapo",
    "algorithm_steps": "a model of its own: test_prime",
    "reward_manager": "scores: tests/unit/reward_managers, test_rewards",
    "critic": "another model's loss: test_cpu_engines, test_training",
    "actor_rollout_ref.rollout.calculate_log_probs": "what the server returns: test_generation_server",
    "tracking": "which option was chosen, for names: tests/unit/tracking",
}
# what verl does to a batch before its estimator, asked of an advantage function too
CORRECTIONS = (
    "algorithm.rollout_correction.rollout_is=token",
    "algorithm.rollout_correction.rollout_rs=token_k1",
    "algorithm.rollout_correction.rollout_rs_threshold='0.5_2.0'",
    "algorithm.use_kl_in_reward=true",
    "algorithm.kl_ctrl.kl_coef=0.01",
)
# what `harness check` says does nothing, on top of GRPO (RLOO where it is GRPO's own key)
INERT = (
    "actor_rollout_ref.actor.clip_ratio=0.01",
    "actor_rollout_ref.actor.grad_clip=0.01",
    "actor_rollout_ref.actor.kl_loss_coef=5.0",
    "actor_rollout_ref.actor.kl_loss_type=k1",
    "actor_rollout_ref.actor.loss_scale_factor=3",
    "algorithm.kl_ctrl.kl_coef=5.0",
    "algorithm.kl_penalty=abs",
    "algorithm.lam=0.5",
    "algorithm.gamma=0.5",
    "algorithm.use_pf_ppo=true",
)
NEEDS = {"grpo": ["reward_fn=exact_match"], "gdpo": ["reward_fn=[exact_match,length]", "reward_fn.length.weight=0.5"]}


def words(algorithm: str, model: str) -> list[str]:
    """The overrides of a composition, except `NEEDS`."""
    return [
        f"algorithm={algorithm}",
        f"actor_rollout_ref.model.path={model}",
        "data.train_files=none",
        "data.val_files=none",
        f"data.train_batch_size={PROMPTS}",
        f"data.max_response_length={LIMIT}",
        f"actor_rollout_ref.rollout.n={RESPONSES}",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={PROMPTS}",
        f"actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu={PROMPTS * RESPONSES}",
        f"actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu={PROMPTS * RESPONSES}",
        "actor_rollout_ref.model.use_remove_padding=false",
        "run_dir=none",
    ]


def composed(algorithm: str, model: str, *more: str) -> DictConfig:
    return resolve(compose_config([*words(algorithm, model), *more]))


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; the nodes of components count as one key."""
    for key, value in node.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name not in (*NODES, "algorithm_steps", "reward_manager"):
            yield from leaves(value, f"{name}.")
        else:
            yield name, value


def differences(config: DictConfig, base: DictConfig) -> dict[str, Any]:
    """Keys whose value differs and that act on the loss, with the base's value."""
    ours, theirs = (dict(leaves(OmegaConf.to_container(tree))) for tree in (config, base))
    return {
        key: theirs.get(key)
        for key, value in ours.items()
        if theirs.get(key) != value and not any(f"{key}.".startswith(f"{other}.") for other in ELSEWHERE)
    }


def rows(vocabulary: int) -> list[dict[str, Any]]:
    """Ragged responses in groups, some solved, as verl's agent loop stores them."""
    rng = np.random.default_rng(3)
    found = []
    for prompt in range(PROMPTS):
        prompt_ids = torch.from_numpy(rng.integers(2, vocabulary, size=int(rng.integers(3, 9))))
        for session in range(RESPONSES):
            length = int(rng.integers(40, LIMIT + 1))
            response = torch.from_numpy(rng.integers(2, vocabulary, size=length))
            ids = torch.cat([prompt_ids, response])
            scores = torch.zeros(length)
            scores[-1] = float(session in ((0,), (0, 1, 2), (1, 3), (2,))[prompt])
            length_score = float(rng.uniform())  # the functions' scores add up to the reward, see NEEDS
            notes = {"reward_fn/exact_match": float(scores[-1]) - 0.5 * length_score, "reward_fn/length": length_score}
            ones = torch.ones(length, dtype=torch.int64)
            noise = [torch.from_numpy(rng.normal(size=length)).float() for _ in range(5)]
            found.append(
                {
                    "uid": f"1-{prompt}",
                    "prompts": prompt_ids,
                    "responses": response,
                    "input_ids": ids,
                    "position_ids": torch.arange(len(ids)),
                    "response_mask": ones,
                    "loss_mask": ones,
                    "rm_scores": scores,
                    "noise": noise[0],
                    "rollout_noise": noise[1],
                    "values": noise[2] * 0.1,
                    "ref_log_prob": noise[3] - 4.0,
                    "process_rewards": noise[4] * 0.1,
                    "greedy_scores": float(prompt % 2),
                    "greedy_failed": False,
                    "extra_fields": {"reward_extra_info": notes},
                    "multi_modal_inputs": {},
                }
            )
    return found


def put(parts: list[dict[str, Any]], partition: str) -> KVBatchMeta:
    """The batch in TransferQueue."""
    keys = [f"{row['uid']}_{number}_0" for number, row in enumerate(parts)]
    lengths = [len(row["input_ids"]) for row in parts]
    tags = [{"status": "success", "seq_len": length, "global_steps": 1} for length in lengths]
    tq.kv_batch_put(keys=keys, partition_id=partition, fields=ragged_fields(parts), tags=tags)
    return KVBatchMeta(partition_id=partition, keys=keys, tags=tags)


def trainer_of(config: DictConfig, folder: Path) -> HarnessTrainerSync:
    """The real trainer with one worker, without its data, rollout and cluster."""
    trainer = object.__new__(HarnessTrainerSync)
    trainer.config, trainer.recorder = config, Recorder(folder)
    trainer.global_steps, trainer.timing_raw = 1, {}
    trainer.advantage_fn, trainer.steps = trainer._component(config, "advantage_fn"), AlgorithmSteps()
    trainer.distillation_config = None
    trainer.kl_ctrl_in_reward = get_kl_controller(config.algorithm.kl_ctrl)
    config.actor_rollout_ref[COMPONENTS_KEY] = {"policy_loss": config.policy_loss, "trusted_modules": []}
    config.actor_rollout_ref.actor.optim.total_training_steps = 10
    torch.manual_seed(0)
    trainer.actor_rollout_wg = HarnessActorWorker(config.actor_rollout_ref, role="actor")
    trainer.actor_rollout_wg.init_model()
    return trainer


def padding_rows(count: int) -> list[dict[str, Any]]:
    """What `measure` reads of the rows with which verl fills a batch up."""
    return count * [{"prompts": torch.zeros(SYNTHETIC_PADDING_SEQ_LEN - 1),
                     **dict.fromkeys(("responses", "noise", "rollout_noise"), torch.zeros(1))}]  # fmt: skip


def measure(config: DictConfig, folder: Path, name: str, padding: int = 0) -> dict[str, Any]:
    """The loss, its gradient and the advantages of one step; its last rows replaced by verl's padding."""
    trainer = trainer_of(frozen(config), folder)
    vocabulary = trainer.actor_rollout_wg.actor.engine.module.config.vocab_size
    parts = rows(vocabulary)[: PROMPTS * RESPONSES - padding]
    metrics: dict[str, Any] = {}
    batch = upsample_batch_to_divisible_size(put(parts, name), PROMPTS * RESPONSES, eos_token_id=0)
    parts += padding_rows(padding)
    # around the policy's own log-probs, so that ratios leave the clip ranges on both sides
    batch.extra_info.update(calculate_entropy=True, compute_loss=False, temperature=1.0)
    trainer.actor_rollout_wg.compute_log_prob(batch)
    columns = read_columns(batch, "log_probs", "prompts", "noise", "rollout_noise", "response_mask")
    nested = {"old_log_probs": [], "rollout_log_probs": []}
    for row, part in enumerate(parts):
        length, start = len(part["responses"]), len(part["prompts"])
        own = columns["log_probs"][row][start - 1 : start - 1 + length]
        nested["old_log_probs"].append(own + 0.9 * part["noise"])
        nested["rollout_log_probs"].append(own + 0.5 * part["rollout_noise"])
    write_columns(batch, {k: torch.nested.as_nested_tensor(v, layout=torch.jagged) for k, v in nested.items()})
    if trainer.config.algorithm.rollout_correction.bypass_mode:
        trainer._compute_old_log_prob(batch, metrics)
    fresh = KVBatchMeta(partition_id=batch.partition_id, keys=batch.keys, tags=batch.tags)
    trainer._compute_advantage(fresh, metrics)
    advantages = read_columns(fresh, "advantages", "response_mask")
    fresh = KVBatchMeta(partition_id=batch.partition_id, keys=batch.keys, tags=batch.tags)
    trainer._update_actor(fresh, metrics)
    tq.kv_clear(keys=batch.keys, partition_id=batch.partition_id)
    weighted = advantages["advantages"] * torch.arange(1, LIMIT + 1)[: advantages["advantages"].shape[1]]
    return {
        "loss": metrics["actor/pg_loss"],
        "grad_norm": metrics["actor/grad_norm"],
        "advantages": weighted.sum().item(),
    }


def main() -> None:
    """Measure every algorithm and every key."""
    model, folder = sys.argv[1], Path(sys.argv[2])
    algorithms = sorted(
        path.stem for path in (Path(__file__).parents[2] / "conf" / "algorithm").glob("*.yaml") if path.stem != "drgrpo"
    )
    os.environ[RUN] = str(folder)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    tq.init(frozen(composed("grpo", model, *NEEDS["grpo"])).transfer_queue)
    result = {"algorithms": {}, "corrections": {}, "inert": {}, "padded": {}}
    for algorithm in algorithms:
        needs = NEEDS.get(algorithm, NEEDS["grpo"])
        config = composed(algorithm, model, *needs)
        keys = differences(config, composed("grpo", model, *needs))
        row = {"as composed": measure(config, folder, algorithm)}
        for number, (key, value) in enumerate(keys.items()):
            back = [f"{key}={NODES[key]}"] if key in NODES else [f"{key}={json.dumps(value)}"]
            reverted = composed(algorithm, model, *needs, *back)
            row[key] = measure(reverted, folder, f"{algorithm}-{number}")
        result["algorithms"][algorithm] = row
    for name in ("verl", "grpo"):  # verl's estimator and the function of the same name
        words = [*NEEDS["grpo"], f"advantage_fn={name}", *CORRECTIONS]
        result["corrections"][name] = measure(composed("grpo", model, *words), folder, f"corrections-{name}")
    for number, word in enumerate((*INERT, "algorithm.norm_adv_by_std_in_grpo=false")):
        algorithm = "rloo" if "norm_adv" in word else "grpo"
        config = composed(algorithm, model, *NEEDS["grpo"], word)
        result["inert"][word] = [algorithm, measure(config, folder, f"inert-{number}")]
    for algorithm in algorithms:
        config = composed(algorithm, model, *NEEDS.get(algorithm, NEEDS["grpo"]))
        result["padded"][algorithm] = measure(config, folder, f"padded-{algorithm}", padding=2)
    result["signed"] = RunFolder(folder).signs.exists()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
