"""The trainers: verl's three V1 modes, with the harness's components, record and order of data.

A mixin over verl's classes: each method overrides one step of `verl.trainer.ppo.v1.trainer_base.PPOTrainer` and calls
it; nothing of verl's loop is repeated here.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, open_dict
from verl.trainer.ppo.v1 import PPOTrainerColocateAsync, PPOTrainerSeparateAsync, PPOTrainerSync
from verl.utils.debug import marked_timer

from harness.backend.checkpoints import Checkpoints
from harness.backend.columns import read_columns, replace_objects, write_response_columns
from harness.backend.corrections import advantages_of, on_responses
from harness.backend.loading import loading_explained
from harness.backend.overlong import left_out_of_the_loss, stop_tokens
from harness.backend.recorded import Asked, RecordedTrainer
from harness.backend.recorder import Recorder
from harness.backend.replay import build_replay_buffer
from harness.backend.sampled import SampledBatches
from harness.backend.steps import AlgorithmSteps
from harness.backend.workers import COMPONENTS_KEY, with_components
from harness.components.instantiate import instantiate
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from tensordict import TensorDict
    from transfer_queue import KVBatchMeta


class HarnessTrainer:
    """What the harness adds to verl's trainer; mixed in before the class of the chosen mode."""

    def __init__(self, config: DictConfig) -> None:
        self.recorder = Recorder(Path(config.run_dir))
        self.advantage_fn = self._component(config, "advantage_fn")
        self.steps: AlgorithmSteps = self._component(config, "algorithm_steps") or AlgorithmSteps()
        with open_dict(config):
            config.actor_rollout_ref[COMPONENTS_KEY] = {
                "policy_loss": config.policy_loss,
                "trusted_modules": config.get("trusted_modules") or [],
            }
        self.prompts_made = 0
        self.asked: dict[str, Asked] = {}
        super().__init__(config)
        self.checkpoint_callback = self.checkpoints = Checkpoints(self)

    def _component(self, config: DictConfig, key: str) -> Any:
        node = config.get(key) or {}
        return instantiate(node, key, config.get("trusted_modules") or ()) if node.get("_target_") else None

    # --- construction -------------------------------------------------------------------------------------------

    def _build_replay_buffer(self) -> Any:
        groups = self.config.algorithm.get("filter_groups") or {}
        limit = groups.get("max_num_gen_batches", 0) if groups.get("enable") else 0
        if self.steps.oversample > 1 and (groups.get("enable") or self.trainer_mode != "sync"):
            raise ConfigurationError(
                f"algorithm_steps.oversample={self.steps.oversample} needs trainer.v1.trainer_mode=sync (it is "
                f"{self.trainer_mode}) without algorithm.filter_groups.",
                "Set algorithm_steps.oversample=1, or those keys.",
            )
        batches = SampledBatches(self)
        return build_replay_buffer(
            super()._build_replay_buffer(),
            self.config.data.train_batch_size,
            limit,
            self.steps.oversample,
            batches.finish,
        )

    def _init_tokenizer(self) -> None:
        super()._init_tokenizer()
        self.stop_tokens = stop_tokens(self.config.actor_rollout_ref.model.path, self.tokenizer)

    def _init_dataloader(self) -> None:
        with loading_explained(self):
            super()._init_dataloader()
        if self.steps.oversample > 1:
            self._count_oversampled_epochs()

    def _count_oversampled_epochs(self) -> None:
        """An epoch is over when the data is through; each step takes ``oversample`` batches of it."""
        self.steps_per_epoch = max(1, self.steps_per_epoch // self.steps.oversample)
        if self.config.trainer.total_training_steps is None:
            self.total_training_steps = self.steps_per_epoch * self.config.trainer.total_epochs
            self.config.actor_rollout_ref.actor.optim.total_training_steps = self.total_training_steps

    def _init_resource_pool_mgr(self) -> None:
        super()._init_resource_pool_mgr()
        self.role_worker_mapping = with_components(self.role_worker_mapping)

    def fit(self, agent_loop_manager: Any) -> None:
        """Train; see verl."""
        self.replay_buffer.rollout = agent_loop_manager if hasattr(agent_loop_manager, "collect") else None
        super().fit(agent_loop_manager)

    def _load_checkpoint(self) -> None:
        self.steps.build(self)
        if self.config.trainer.resume_mode == "auto":
            self.checkpoints.repair()
        super()._load_checkpoint()
        self.checkpoints.saved = self.global_steps
        if self.global_steps:
            given = self.config.trainer.resume_from_path if self.config.trainer.resume_mode == "resume_path" else None
            self.steps.load(Path(given) if given else self.checkpoints.place(self.global_steps))

    def _save_checkpoint(self) -> None:
        self.recorder.stage("saving a checkpoint", self.global_steps)
        self.checkpoints.begin(self.global_steps)
        # before verl's, which ends with the mark that the checkpoint is whole
        self.steps.save(self.checkpoints.place(self.global_steps), None)
        super()._save_checkpoint()

    # --- data ---------------------------------------------------------------------------------------------------

    def _next_train_batch(self, num_prompts: int | None = None) -> TensorDict:
        """verl's, and as many times more as the algorithm oversamples."""
        if num_prompts is None:
            num_prompts = self.config.data.train_batch_size * self.steps.oversample
        return super()._next_train_batch(num_prompts)

    def _fetch_one_gen_batch(self) -> TensorDict:
        """verl's, with the prompts' ids counted instead of drawn at random: results do not depend on them then."""
        batch = super()._fetch_one_gen_batch()
        first = self.prompts_made
        self.prompts_made += len(batch)
        uids = [f"{self.global_steps}-{number:09d}" for number in range(first, self.prompts_made)]
        return replace_objects(batch, "uid", uids)

    def _get_required_batch_multiple(self, dp_size: int) -> int:
        return math.lcm(super()._get_required_batch_multiple(dp_size), self.steps.batch_multiple(self))

    # --- components ---------------------------------------------------------------------------------------------

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("computing advantages", self.global_steps)
        with marked_timer("algorithm_steps", self.timing_raw):
            self.steps.before_advantages(self, batch, metrics)
        if self.advantage_fn is None:
            return _without_empty_rows(super()._compute_advantage(batch, metrics))
        weights = {name: float(node.get("weight", 1.0)) for name, node in self.config.reward_fn.items()}
        controller = getattr(self, "kl_ctrl_in_reward", None)
        columns, further = advantages_of(
            self.advantage_fn, read_columns(batch), self.config.algorithm, controller, weights
        )
        metrics.update(further)
        return write_response_columns(batch, columns)

    def _update_actor(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        if not self.config.overlong_filtering:
            return super()._update_actor(batch, metrics)
        limit = self.config.actor_rollout_ref.rollout.response_length
        with left_out_of_the_loss(batch, limit, self.stop_tokens, metrics):
            return super()._update_actor(batch, metrics)


def _without_empty_rows(batch: KVBatchMeta) -> KVBatchMeta:
    """A batch with the advantages of verl's estimator, where it has rows without a response token set to zero."""
    mask = read_columns(batch, "response_mask")["response_mask"]
    if mask.any(dim=1).all():
        return batch
    return write_response_columns(batch, on_responses(read_columns(batch, "advantages", "returns"), mask))


class HarnessTrainerSync(HarnessTrainer, RecordedTrainer, PPOTrainerSync):
    """``trainer_mode=sync``: bit for bit the same with the same seed, built-in server and thread count."""


class HarnessTrainerColocateAsync(HarnessTrainer, RecordedTrainer, PPOTrainerColocateAsync):
    """``trainer_mode=colocate_async``: what a step is trained on depends on timing."""


class HarnessTrainerSeparateAsync(HarnessTrainer, RecordedTrainer, PPOTrainerSeparateAsync):
    """``trainer_mode=separate_async``: what a step is trained on depends on timing."""


TRAINERS = {
    "sync": HarnessTrainerSync,
    "colocate_async": HarnessTrainerColocateAsync,
    "separate_async": HarnessTrainerSeparateAsync,
}
