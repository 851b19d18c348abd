"""The training worker's side of the built-in server: it sends weights and passes sleep and wake-up on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.utils import ensure_async_iterator

from harness.backend.generation.replica import server_name
from harness.backend.generation.weights import WeightSegment, WeightWriter
from harness.errors import ConfigurationError

NamedWeights = Iterable[tuple[str, torch.Tensor]] | AsyncIterable[tuple[str, torch.Tensor]]


class BuiltinAdapter(BaseRollout):
    """verl's rollout object in a worker that has a built-in server beside it.

    Args:
        config: verl's RolloutConfig.
        model_config: verl's HFModelConfig.
        device_mesh: Not used.
        replica_rank: Of the server; -1 in a training worker, whose own rank it is then.
    """

    is_leader_rank = True  # every replica has one worker

    def __init__(self, config: Any, model_config: Any, device_mesh: Any, replica_rank: int = -1) -> None:
        super().__init__(config, model_config, device_mesh)
        self.replica_rank = int(os.environ["RANK"]) if replica_rank == -1 else replica_rank
        self._handle: ray.actor.ActorHandle | None = None
        self._segment: WeightSegment | None = None

    @property
    def _server(self) -> ray.actor.ActorHandle:
        if self._handle is None:  # servers start after the workers
            self._handle = ray.get_actor(server_name(self.replica_rank))
        return self._handle

    async def resume(self, tags: list[str]) -> None:
        """Takes memory back on the server; see `BuiltinServer.wake_up`."""
        if self.config.free_cache_engine:
            await self._server.wake_up.remote(tags=tags)

    async def release(self) -> None:
        """Gives memory back on the server; see `BuiltinServer.sleep`."""
        if self.config.free_cache_engine:
            await self._server.sleep.remote()

    @torch.no_grad()
    async def update_weights(
        self,
        weights: NamedWeights,
        global_steps: int | None = None,
        wire_format: str = "named_tensors",
        peft_config: Any = None,
        **kwargs: Any,
    ) -> None:
        """Copies the trainer's weights into the server's shared memory.

        Args:
            weights: (Hugging Face name, full tensor) pairs; always read to the end, because other workers may be
                taking part in producing them.
            global_steps: The trainer's step, which becomes the version of the weights.
            wire_format: Must be "named_tensors".
            peft_config: Must be None: adapters are merged by the trainer.
            **kwargs: verl's, without meaning here.

        Raises:
            ConfigurationError: The weights come in a form the server does not take.
            TrainingError: They do not fit the server's model.
        """
        if wire_format != "named_tensors" or peft_config is not None:
            form = "LoRA adapters" if peft_config is not None else f"wire format {wire_format!r}"
            raise ConfigurationError(
                f"the builtin generation server takes full weights, and the trainer sends {form}",
                "set actor_rollout_ref.model.lora.merge=True, and a checkpoint_engine.backend of naive or gloo",
            )
        if self._segment is None:
            self._segment = WeightSegment.attach(await self._server.weight_segment.remote())
        await self._server.begin_weight_update.remote()
        writer = WeightWriter(self._segment)
        try:
            async for name, weight in ensure_async_iterator(weights):
                writer.write(name, weight)
            writer.finish()
        except BaseException:
            await self._server.abandon_weight_update.remote()
            raise
        await self._server.finish_weight_update.remote(global_steps)
