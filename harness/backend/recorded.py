"""What the harness records of verl's trainer: stages, metrics, and validation's generations in the data's order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.backend.checkpoints import Checkpoints
from harness.backend.node_loads import NodeLoads, further_nodes
from harness.backend.recorder import Recorder
from harness.errors import StopRequested
from harness.records.generations import Generation, write_generations
from harness.records.stop_request import stop_requested
from harness.reward_managers.spread import NOTE

if TYPE_CHECKING:
    from tensordict import TensorDict
    from transfer_queue import KVBatchMeta


class RecordedTrainer:
    """Mixed in before verl's trainer: each method notes a stage or keeps a result, and calls verl's."""

    recorder: Recorder
    checkpoints: Checkpoints
    asked: dict[str, Asked]

    def _init_tokenizer(self) -> None:
        self.recorder.stage("loading the tokenizer")
        super()._init_tokenizer()

    def _init_dataloader(self) -> None:
        self.recorder.stage("reading the data")
        super()._init_dataloader()

    def _init_resource_pool_mgr(self) -> None:
        self.recorder.stage("loading the model")
        super()._init_resource_pool_mgr()

    def _load_checkpoint(self) -> None:
        self.recorder.stage("looking for a checkpoint")
        super()._load_checkpoint()
        self.recorder.resumed(self.global_steps, self.total_training_steps)

    def on_init_end(self) -> None:
        """Send the first weights to the generation servers."""
        self.recorder.stage("sending the weights", self.global_steps)
        super().on_init_end()

    @property
    def logger(self) -> Any:
        """verl's trackers, with the run folder's metrics in front."""
        return self._logger

    @logger.setter
    def logger(self, tracking: Any) -> None:
        nodes = further_nodes(self.config)
        self._logger = self.recorder.wrap(tracking, NodeLoads(nodes) if nodes else None)

    def fit(self, agent_loop_manager: Any) -> None:
        """Train; see verl."""
        super().fit(_NumberedRollout(agent_loop_manager, self.asked))

    def on_validate_begin(self) -> None:
        """Validation starts."""
        self.recorder.stage("validating", self.global_steps)
        super().on_validate_begin()

    def on_step_begin(self) -> None:
        """A training step starts, unless the run has been asked to stop."""
        if stop_requested(self.recorder.folder.path):
            self._save_and_stop()
        self.recorder.stage("generating", self.global_steps)
        super().on_step_begin()

    def on_step_end(self) -> None:
        """The step's weights go to the generation servers."""
        self.recorder.stage("sending the weights", self.global_steps)
        super().on_step_end()

    def _save_and_stop(self) -> None:
        """Save what the step before this one has reached: its metrics are recorded, nothing of this one has begun."""
        self.global_steps -= 1
        if self.global_steps != self.checkpoints.saved:
            self._save_checkpoint()
        raise StopRequested(f"stopped after step {self.global_steps}, as was asked")

    def _compute_old_log_prob(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("computing log-probs", self.global_steps)
        return super()._compute_old_log_prob(batch, metrics)

    def _compute_reward_colocate(self, batch: KVBatchMeta, metrics: dict | None = None) -> KVBatchMeta:
        if metrics is not None:  # else it is a part of the validation
            self.recorder.stage("scoring", self.global_steps)
        return super()._compute_reward_colocate(batch, metrics)

    def _compute_ref_log_prob(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("computing the reference's log-probs", self.global_steps)
        return super()._compute_ref_log_prob(batch, metrics)

    def _compute_values(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("computing values", self.global_steps)
        return super()._compute_values(batch, metrics)

    def _compute_advantage(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("computing advantages", self.global_steps)
        return super()._compute_advantage(batch, metrics)

    def _update_critic(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("updating the critic", self.global_steps)
        return super()._update_critic(batch, metrics)

    def _update_actor(self, batch: KVBatchMeta, metrics: dict) -> KVBatchMeta:
        self.recorder.stage("updating the actor", self.global_steps)
        return super()._update_actor(batch, metrics)

    def _validate(self) -> dict[str, float]:
        self.asked.clear()
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
        extras = {
            name: column for name, column in reward_extra_infos_dict.items() if name not in ("uid", "reward", NOTE)
        }
        asked = [self.asked.get(uid, Asked(place)) for place, uid in enumerate(uids)]
        samples = [
            Generation(
                index=asked[place].example,
                source=asked[place].source,
                input=inputs[place],
                output=outputs[place],
                ground_truth=gts[place],
                score=scores[place],
                extra={name: column[place] for name, column in extras.items()},
            )
            for place in range(len(uids))
        ]
        write_generations(Path(dump_path), self.global_steps, sorted(samples, key=lambda sample: sample.index))


class Asked(NamedTuple):
    """Which example of the data set a validation prompt is, and of which data source."""

    example: int
    source: str = ""


class _NumberedRollout:
    """Notes which example each validation prompt is, before it is generated under a random id."""

    def __init__(self, manager: Any, asked: dict[str, Asked]) -> None:
        self.manager = manager
        self.asked = asked

    def generate_sequences(self, prompts: TensorDict) -> None:
        """See verl's agent-loop manager."""
        if "validate" in prompts:
            first, uids = len(self.asked), list(prompts["uid"])
            sources = list(prompts["data_source"]) if "data_source" in prompts else [""] * len(uids)
            for place, (uid, source) in enumerate(zip(uids, sources, strict=True)):
                self.asked[str(uid)] = Asked(first + place, str(source))
        self.manager.generate_sequences(prompts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.manager, name)
