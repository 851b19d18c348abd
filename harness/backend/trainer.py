"""The trainers: verl's three V1 modes, with the harness's components, record and order of data.

A mixin over verl's classes: each method overrides one step of `verl.trainer.ppo.v1.trainer_base.PPOTrainer` and calls
it; nothing of verl's loop is repeated here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from omegaconf import DictConfig, open_dict
from tensordict import NonTensorData, TensorDict
from transfer_queue import KVBatchMeta
from verl.protocol import DataProto
from verl.trainer.ppo.ray_trainer import apply_kl_penalty
from verl.trainer.ppo.v1 import PPOTrainerColocateAsync, PPOTrainerSeparateAsync, PPOTrainerSync
from verl.workers.utils.padding import response_to_nested

from harness.backend.advantages import call_advantage_fn, reward_components
from harness.backend.overlong import left_out_of_the_loss, stop_tokens
from harness.backend.recorder import Recorder
from harness.backend.replay import build_replay_buffer
from harness.backend.workers import COMPONENTS_KEY, with_components
from harness.components.instantiate import instantiate
from harness.errors import ConfigurationError
from harness.records.generations import Generation, write_generations


class HarnessTrainer:
    """What the harness adds to verl's trainer; mixed in before the class of the chosen mode."""

    recorder: Recorder

    def __init__(self, config: DictConfig) -> None:
        self.recorder = Recorder(Path(config.run_dir))
        self.advantage_fn = None
        if config.advantage_fn.get("_target_"):
            self.advantage_fn = instantiate(config.advantage_fn, "advantage_fn", config.get("trusted_modules") or ())
        with open_dict(config):
            config.actor_rollout_ref[COMPONENTS_KEY] = {
                "policy_loss": config.policy_loss,
                "trusted_modules": config.get("trusted_modules") or [],
            }
        self.prompts_made = 0
        self.validation_index: dict[str, int] = {}
        super().__init__(config)

    # --- construction -------------------------------------------------------------------------------------------

    def _build_replay_buffer(self) -> Any:
        groups = self.config.algorithm.get("filter_groups") or {}
        limit = groups.get("max_num_gen_batches", 0) if groups.get("enable") else 0
        return build_replay_buffer(super()._build_replay_buffer(), self.config.data.train_batch_size, limit)

    def _init_tokenizer(self) -> None:
        self.recorder.stage("loading the tokenizer")
        super()._init_tokenizer()
        self.stop_tokens = stop_tokens(self.config.actor_rollout_ref.model.path, self.tokenizer)

    def _init_dataloader(self) -> None:
        self.recorder.stage("reading the data")
        super()._init_dataloader()

    def _init_resource_pool_mgr(self) -> None:
        self.recorder.stage("loading the model")
        super()._init_resource_pool_mgr()
        self.role_worker_mapping = with_components(self.role_worker_mapping)

    def _load_checkpoint(self) -> None:
        self.recorder.stage("looking for a checkpoint")
        super()._load_checkpoint()
        self.recorder.resumed(self.global_steps, self.total_training_steps)

    def on_init_end(self) -> None:
        """Send the first weights to the generation servers."""
        self.recorder.stage("sending the weights", self.global_steps)
        super().on_init_end()

    # --- record -------------------------------------------------------------------------------------------------

    @property
    def logger(self) -> Any:
        """verl's trackers, with the run folder's metrics in front."""
        return self._logger

    @logger.setter
    def logger(self, tracking: Any) -> None:
        self._logger = self.recorder.wrap(tracking)

    def fit(self, agent_loop_manager: Any) -> None:
        """Train; see verl."""
        self.replay_buffer.rollout = agent_loop_manager if hasattr(agent_loop_manager, "collect") else None
        super().fit(_NumberedRollout(agent_loop_manager, self.validation_index))

    def on_validate_begin(self) -> None:
        """Validation starts."""
        self.recorder.stage("validating", self.global_steps)
        super().on_validate_begin()

    def on_step_begin(self) -> None:
        """A training step starts."""
        self.recorder.stage("generating", self.global_steps)
        super().on_step_begin()

    def _compute_old_log_prob(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("computing log-probs", self.global_steps)
        return super()._compute_old_log_prob(batch, metrics)

    def _update_critic(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("updating the critic", self.global_steps)
        return super()._update_critic(batch, metrics)

    def _update_actor(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("updating the actor", self.global_steps)
        if not self.config.overlong_filtering:
            return super()._update_actor(batch, metrics)
        limit = self.config.actor_rollout_ref.rollout.response_length
        with left_out_of_the_loss(batch, limit, self.stop_tokens, metrics):
            return super()._update_actor(batch, metrics)

    def _save_checkpoint(self) -> None:
        self.recorder.stage("saving a checkpoint", self.global_steps)
        super()._save_checkpoint()

    def _validate(self) -> dict[str, float]:
        self.validation_index.clear()
        return super()._validate()

    def _dump_generations(
        self,
        inputs: list[str],
        outputs: list[str],
        gts: list[Any],
        scores: list[float],
        reward_extra_infos_dict: dict[str, list[Any]],
        dump_path: str,
    ) -> None:
        uids = [str(key).rsplit("_", 2)[0] for key in reward_extra_infos_dict["uid"]]
        extras = {name: column for name, column in reward_extra_infos_dict.items() if name not in ("uid", "reward")}
        samples = [
            Generation(
                index=self.validation_index.get(uid, place),
                input=inputs[place],
                output=outputs[place],
                ground_truth=gts[place],
                score=scores[place],
                extra={name: column[place] for name, column in extras.items()},
            )
            for place, uid in enumerate(uids)
        ]
        write_generations(Path(dump_path), self.global_steps, sorted(samples, key=lambda sample: sample.index))

    # --- order of data ------------------------------------------------------------------------------------------

    def _fetch_one_gen_batch(self) -> TensorDict:
        """verl's, with the prompts' ids counted instead of drawn at random: results do not depend on them then."""
        batch = super()._fetch_one_gen_batch()
        first = self.prompts_made
        self.prompts_made += len(batch)
        uids = [f"{self.global_steps}-{number:09d}" for number in range(first, self.prompts_made)]
        return _replace_objects(batch, "uid", uids)

    # --- components ---------------------------------------------------------------------------------------------

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("computing advantages", self.global_steps)
        if self.advantage_fn is None:
            return super()._compute_advantage(batch, metrics)
        if (self.config.algorithm.get("rollout_correction") or {}).get("rollout_is"):
            raise ConfigurationError(
                "algorithm.rollout_correction.rollout_is does not work with an advantage_fn of your own.",
                "Set algorithm.rollout_correction.rollout_is=null.",
            )
        stored = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id)
        fields, mask = _padded_fields(stored), stored["response_mask"]
        self._add_rewards(fields, metrics)
        weights = {name: float(node.get("weight", 1.0)) for name, node in self.config.reward_fn.items()}
        fields |= {"reward_components": reward_components(fields, list(weights)), "reward_weights": weights}
        advantages, returns = call_advantage_fn(self.advantage_fn, {**fields, "config": self.config.algorithm})
        output = {"advantages": advantages, "returns": returns}
        if self.config.algorithm.use_kl_in_reward:
            output["token_level_rewards"] = fields["token_level_rewards"]
        nested = {name: response_to_nested(tensor, mask) for name, tensor in output.items()}
        return tq.kv_batch_put(
            keys=batch.keys, partition_id=batch.partition_id, fields=TensorDict(nested, batch_size=len(batch))
        )

    def _add_rewards(self, fields: dict[str, Any], metrics: dict) -> None:
        fields["token_level_scores"] = fields["token_level_rewards"] = fields["rm_scores"]
        if self.config.algorithm.use_kl_in_reward:
            tensors = {name: value for name, value in fields.items() if hasattr(value, "dim")}
            data = DataProto(batch=TensorDict(tensors, batch_size=len(fields["uid"])))
            data, kl_metrics = apply_kl_penalty(data, self.kl_ctrl_in_reward, self.config.algorithm.kl_penalty)
            fields["token_level_rewards"] = data.batch["token_level_rewards"]
            metrics.update(kl_metrics)


class _NumberedRollout:
    """Notes which example of the data set each validation prompt is, before it is generated under a random id."""

    def __init__(self, manager: Any, validation_index: dict[str, int]) -> None:
        self.manager = manager
        self.validation_index = validation_index

    def generate_sequences(self, prompts: TensorDict) -> None:
        """See verl's agent-loop manager."""
        if "validate" in prompts:
            first = len(self.validation_index)
            self.validation_index.update({str(uid): first + place for place, uid in enumerate(prompts["uid"])})
        self.manager.generate_sequences(prompts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.manager, name)


class HarnessTrainerSync(HarnessTrainer, PPOTrainerSync):
    """``trainer_mode=sync``: bit for bit the same with the same seed, built-in server and thread count."""


class HarnessTrainerColocateAsync(HarnessTrainer, PPOTrainerColocateAsync):
    """``trainer_mode=colocate_async``: what a step is trained on depends on timing."""


class HarnessTrainerSeparateAsync(HarnessTrainer, PPOTrainerSeparateAsync):
    """``trainer_mode=separate_async``: what a step is trained on depends on timing."""


TRAINERS = {
    "sync": HarnessTrainerSync,
    "colocate_async": HarnessTrainerColocateAsync,
    "separate_async": HarnessTrainerSeparateAsync,
}


def _replace_objects(batch: TensorDict, name: str, values: list[Any]) -> TensorDict:
    from verl.utils import tensordict_utils as tu

    batch.pop(name)
    batch.update(tu.get_tensordict({name: _objects(values)}))
    return batch


def _padded_fields(stored: TensorDict) -> dict[str, Any]:
    """Nested columns padded to (rows, response length), objects as arrays of (rows,)."""
    names = [name for name in stored.keys() if not isinstance(stored.get(name), torch.Tensor)]  # noqa: SIM118
    objects = {name: _objects(stored.pop(name).tolist()) for name in names}
    padded = stored.to_padded_tensor()
    return {**dict(padded.items()), **objects}


def _objects(values: list[Any]) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = [value.data if isinstance(value, NonTensorData) else value for value in values]
    return array
