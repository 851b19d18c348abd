"""The worker groups of PRIME: the process reward model π_φ and, where need be, its frozen reference."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import transfer_queue as tq
from omegaconf import DictConfig, OmegaConf
from transfer_queue import KVBatchMeta
from verl.single_controller.ray import RayClassWithInitArgs, RayWorkerGroup
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.metric import reduce_metrics
from verl.workers.config import HFModelConfig, TrainingWorkerConfig
from verl.workers.utils.padding import response_from_nested

from harness.backend.prime.worker import ProcessRewardWorker, prime_loss

if TYPE_CHECKING:
    import torch


class WorkerGroup:
    """One language model over all workers of the training.

    Args:
        group: Its processes.
        temperature: That of the rollout, at which verl takes every log-prob.
    """

    def __init__(self, group: RayWorkerGroup, temperature: float) -> None:
        self.group, self.temperature = group, temperature

    def log_probs(self, batch: KVBatchMeta) -> torch.Tensor:
        """Log-probs of the responses, (rows, response length), zero behind them."""
        settings = {"calculate_entropy": False, "compute_loss": False, "temperature": self.temperature}
        ray.get(self.group.infer_batch(_with_all_columns(batch, settings)).futures)
        stored = tq.kv_batch_get(
            keys=batch.keys, partition_id=batch.partition_id, select_fields=["log_probs", "response_mask"]
        )
        nested = response_from_nested(stored["log_probs"], stored["response_mask"])
        return nested.to_padded_tensor(0.0)

    def learn(self, batch: KVBatchMeta, mini_batch_rows: int) -> dict[str, Any]:
        """One pass over the batch."""
        settings = {
            "calculate_entropy": False,
            "global_batch_size": mini_batch_rows,
            "mini_batch_size": mini_batch_rows,
            "epochs": 1,
            "seed": 0,
            "dataloader_kwargs": {"shuffle": False},
            "temperature": self.temperature,
        }
        return reduce_metrics(self.group.train_mini_batch(_with_all_columns(batch, settings)).get()["metrics"])

    def save(self, folder: Path, step: int, keep: int | None) -> None:
        """Weights and optimiser."""
        self.group.save_checkpoint(str(folder), None, step, max_ckpt_to_keep=keep)

    def load(self, folder: Path) -> None:
        """Continue from `save`."""
        self.group.load_checkpoint(local_path=str(folder))


def _with_all_columns(batch: KVBatchMeta, settings: dict[str, Any]) -> KVBatchMeta:
    """The batch with whatever columns it has by now; verl's own would give those it had at its last put."""
    return KVBatchMeta(partition_id=batch.partition_id, keys=batch.keys, tags=batch.tags, extra_info=settings)


def spawn_trained(trainer: Any, model_path: str | None, optim: dict[str, Any], beta: float) -> WorkerGroup:
    """π_φ, beside the policy's workers on the same devices, with verl's engine as configured for the policy."""
    group = _spawn(trainer, _worker_config(trainer.config.actor_rollout_ref, model_path, optim))
    group.group.set_loss_fn(partial(prime_loss, beta=beta))
    return group


def spawn_frozen(trainer: Any, model_path: str | None) -> WorkerGroup:
    """The reference of π_φ where the policy's reference is another model or absent."""
    return _spawn(trainer, _worker_config(trainer.config.actor_rollout_ref, model_path, {}, frozen=True))


def _spawn(trainer: Any, worker_config: TrainingWorkerConfig) -> WorkerGroup:
    pool = trainer.resource_pool_manager.resource_pool_dict["global_pool"]
    workers = RayClassWithInitArgs(cls=ray.remote(ProcessRewardWorker), config=worker_config)
    group = RayWorkerGroup(resource_pool=pool, ray_cls_with_init=workers, device_name=trainer.config.trainer.device)
    group.reset()
    return WorkerGroup(group, trainer.config.actor_rollout_ref.rollout.temperature)


def _worker_config(
    config: DictConfig, model_path: str | None, optim: dict[str, Any], frozen: bool = False
) -> TrainingWorkerConfig:
    """As verl configures the policy's worker. Source: verl.workers.engine_workers.ActorRolloutRefWorker.init_model."""
    node = OmegaConf.create(OmegaConf.to_container(config.actor, resolve=True))
    node.optim.update(optim)
    model = OmegaConf.create(OmegaConf.to_container(config.model, resolve=True))
    if model_path is not None:
        model.path = model_path
    actor, model_config = omega_conf_to_dataclass(node), omega_conf_to_dataclass(model, HFModelConfig)
    engine, rollout = actor.engine, config.rollout
    engine.use_dynamic_bsz = actor.use_dynamic_bsz
    engine.micro_batch_size_per_gpu = actor.ppo_micro_batch_size_per_gpu
    engine.max_token_len_per_gpu = actor.ppo_max_token_len_per_gpu
    engine.infer_micro_batch_size_per_gpu = rollout.log_prob_micro_batch_size_per_gpu
    engine.infer_max_token_len_per_gpu = rollout.log_prob_max_token_len_per_gpu
    engine.use_remove_padding = model_config.get("use_remove_padding", False)
    engine.forward_only = frozen
    return TrainingWorkerConfig(
        model_type="language_model",
        model_config=model_config,
        engine_config=engine,
        optimizer_config=actor.optim,
        checkpoint_config=actor.checkpoint,
    )
