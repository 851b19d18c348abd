"""verl's generation-server protocol over the built-in engine.

In training `BuiltinServer` is the class of a Ray actor (see replica.py); nothing in it needs Ray. Callers in verl:
``LLMServerClient`` (generate), ``RolloutReplica`` and ``CheckpointEngineManager`` (sleep, abort, …), the harness's own
batch rollout (generate_batch), and the adapter in the training worker (weights).
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.config import HFModelConfig
from verl.workers.rollout.replica import RolloutMode, TokenOutput
from verl.workers.rollout.utils import get_max_position_embeddings

from harness.backend.generation.engine import GenerationEngine
from harness.backend.generation.limits import GIBIBYTE, EngineLimits
from harness.backend.generation.memory import ModelHost
from harness.backend.generation.model import GenerationModel
from harness.backend.generation.options import cache_bytes, cpu_threads, resolve_options
from harness.backend.generation.requests import GenerationOutput, GenerationRequest, parse_request
from harness.backend.generation.service import GenerationService
from harness.backend.generation.weights import SegmentHandle
from harness.errors import ConfigurationError, TrainingError

_REQUEST_KEYS = {"prompt_ids", "sampling_params", "request_id"}


class BuiltinServer:
    """One generation server: one model on one device.

    Args:
        config: verl's RolloutConfig, or the node it is made from.
        model_config: verl's HFModelConfig, or the node it is made from.
        mode: Whether it shares its device with a training worker.
        replica_rank: Tells servers of one run apart; part of the seeds of requests that name none.
        visible_devices: GPUs to use, as in CUDA_VISIBLE_DEVICES; None on a CPU.
    """

    def __init__(
        self, config: Any, model_config: Any, mode: RolloutMode, replica_rank: int, visible_devices: str | None = None
    ) -> None:
        if visible_devices is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible_devices  # before CUDA starts in this process
        device = torch.device("cpu" if visible_devices is None else "cuda")
        self.config = omega_conf_to_dataclass(config)
        model_config = omega_conf_to_dataclass(model_config, dataclass_type=HFModelConfig)
        self.mode = mode
        self.replica_rank = replica_rank
        self.global_steps: int | None = None
        self._options = resolve_options(self.config, model_config, get_max_position_embeddings(model_config.hf_config))
        self._prompt_counts: Counter[bytes] = Counter()
        threads = cpu_threads()
        torch.set_num_threads(threads)  # for loading, here; the generation thread sets its own
        model = GenerationModel(
            model_config.hf_config,
            getattr(torch, self._options.dtype),
            device,
            checkpoint=model_config.local_path if self._options.load_checkpoint else None,
            trust_remote_code=model_config.trust_remote_code,
        )
        self._host = ModelHost(model)
        engine = GenerationEngine(
            model.module, _end_tokens(model_config), self._limits(device), vocab_size=_vocabulary(model_config)
        )
        self._engine = engine
        self._service = GenerationService(engine, on_start=lambda: torch.set_num_threads(threads))

    def _limits(self, device: torch.device) -> EngineLimits:
        memory = cache_bytes(self._options)
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            share = int(total * self.config.gpu_memory_utilization) - (total - free)
            memory = max(share, cache_bytes(self._options) if self._options.cache_gb else GIBIBYTE)
        return EngineLimits(
            max_batch_size=self._options.max_batch_size,
            max_sequence_length=self._options.sampling.max_model_len,
            max_prefill_tokens=self._options.max_prefill_tokens,
            cache_bytes=memory,
        )

    async def ready(self) -> bool:
        """Answers once the server stands; an error of its construction reaches whoever asks."""
        return True

    # Generation

    async def generate(
        self,
        prompt_ids: Sequence[int],
        sampling_params: dict[str, Any],
        request_id: str,
        image_data: list[Any] | None = None,
        video_data: list[Any] | None = None,
        audio_data: list[Any] | None = None,
        **kwargs: Any,
    ) -> TokenOutput:
        """Generates one response; requests that arrive meanwhile join its batch.

        Raises:
            ConfigurationError: The request asks for something the server does not do.
            TrainingError: The server has no weights yet.
        """
        media = {"image_data": image_data, "video_data": video_data, "audio_data": audio_data, **kwargs}
        if asked := sorted(name for name, value in media.items() if value is not None):
            raise ConfigurationError(
                f"the builtin generation server takes text only, and got {', '.join(asked)}", "choose rollout=vllm"
            )
        request = self._request(prompt_ids, sampling_params)
        return self._token_output(await self._service.generate(request))

    async def generate_batch(self, requests: Sequence[dict[str, Any]]) -> list[TokenOutput]:
        """Generates a whole batch in one call; the same requests in the same order give the same bits.

        Args:
            requests: Each with ``prompt_ids`` and ``sampling_params`` as in `generate` (give a ``seed``), and perhaps
                ``request_id``.

        Returns:
            One output a request, in their order.

        Raises:
            ConfigurationError, TrainingError: As in `generate`.
        """
        parsed = []
        for request in requests:
            if unknown := sorted(set(request) - _REQUEST_KEYS):
                raise ConfigurationError(f"generate_batch does not know the request key {', '.join(unknown)}")
            parsed.append(self._request(request["prompt_ids"], request["sampling_params"]))
        return [self._token_output(output) for output in await self._service.generate_batch(parsed)]

    def _request(self, prompt_ids: Sequence[int], sampling_params: dict[str, Any]) -> GenerationRequest:
        if not self._host.filled:
            raise TrainingError(
                "the generation server has no complete weights: with rollout.load_format=dummy the trainer sends them",
                "send weights before generating, or set actor_rollout_ref.rollout.load_format=auto",
                stage="rollout",
            )
        ids = np.asarray(prompt_ids, dtype=np.int64).reshape(-1)
        return parse_request(ids.tolist(), sampling_params, self._options.sampling, self._next_seed(ids.tobytes()))

    def _next_seed(self, key: bytes) -> int:
        """The k-th response to a prompt under the same weights always gets the same seed, whenever it arrives."""
        place = self._prompt_counts[key]
        self._prompt_counts[key] += 1
        root = f"{self._options.seed}/{self.replica_rank}/{self.global_steps}/{place}/".encode()
        return int.from_bytes(hashlib.blake2b(root + key, digest_size=8).digest(), "little")

    def _token_output(self, output: GenerationOutput) -> TokenOutput:
        # Weights change only while nothing runs, so those of now are those the response was sampled from.
        return TokenOutput(
            token_ids=output.token_ids,
            log_probs=output.log_probs,
            # verl's clients tell only these two apart
            stop_reason="aborted" if output.stop_reason == "aborted" else "completed",
            extra_fields={"global_steps": self.global_steps},
        )

    # Weights, called by the adapter in the training worker

    async def weight_segment(self) -> SegmentHandle:
        """Where the trainer's worker on this host writes the weights."""
        return self._host.segment.handle

    async def begin_weight_update(self) -> None:
        """Lets what runs finish and nothing new in, so that no response mixes two policies by accident."""
        self._service.hold("weights")
        await self._service.when_idle(lambda: None)

    async def finish_weight_update(self, global_steps: int | None) -> None:
        """Starts using the weights in the segment, as those of this trainer step."""
        await self._service.when_idle(self._host.finish_update)
        if global_steps is not None:
            await self.set_global_steps(global_steps)
        self._service.release("weights")

    async def abandon_weight_update(self) -> None:
        """The trainer failed half-way: what waits comes back aborted, and what arrives gets an error, not garbage."""
        self._host.abandon_update()
        await self._service.abort(reject=True)
        self._service.release("weights")

    async def set_global_steps(self, global_steps: int) -> None:
        """Names the version of the weights that `TokenOutput.extra_fields` reports."""
        if global_steps != self.global_steps:
            self._prompt_counts.clear()
            self.global_steps = global_steps

    # Life cycle, called by RolloutReplica

    async def wake_up(self, tags: list[str] | None = None) -> None:
        """Takes memory back; generation goes on once the KV cache is wanted too, verl's last stage."""
        if self.mode == RolloutMode.STANDALONE:
            return
        await self._service.when_idle(self._host.wake)
        if tags is None or "kv_cache" in tags:
            self._service.release("sleep")

    async def sleep(self) -> None:
        """Gives back the KV cache and, on CUDA, the weights, once what runs has finished; what arrives waits."""
        if self.mode == RolloutMode.STANDALONE or not self.config.free_cache_engine:
            return
        self._service.hold("sleep")
        await self._service.when_idle(self._release_all)

    def _release_all(self) -> None:
        self._engine.release_cache()
        self._host.sleep()

    async def clear_kv_cache(self) -> None:
        """Nothing to forget: keys and values never outlive the responses they belong to."""

    async def release_kv_cache(self) -> None:
        """Gives the KV cache's memory back for a weight transfer."""
        if self.config.free_cache_engine:
            self._service.hold("kv_cache")
            await self._service.when_idle(self._engine.release_cache)

    async def resume_kv_cache(self) -> None:
        """Lets generation use a KV cache again; its memory comes back with the next request."""
        self._service.release("kv_cache")

    async def abort_all_requests(self, reject_request: bool = False) -> dict[str, int]:
        """Ends all responses where they are (stop_reason "aborted"), and holds generation until resumed.

        Args:
            reject_request: Whether requests that arrive meanwhile come back at once as aborted, instead of waiting.
        """
        return {"aborted_count": await self._service.abort(reject_request)}

    async def resume_generation(self) -> None:
        """Ends what `abort_all_requests` began."""
        self._service.release("abort")

    async def start_profile(self, **kwargs: Any) -> None:
        """verl calls it on every replica; the server has no profiler, and `resolve_options` refuses asking for one."""

    async def stop_profile(self) -> None:
        """See `start_profile`."""


def _end_tokens(model_config: HFModelConfig) -> set[int]:
    """End-of-sequence tokens of the generation config (one or several), the tokenizer and the model config."""
    found: set[int] = set()
    for source in (model_config.generation_config, model_config.tokenizer, model_config.hf_config):
        token_ids = getattr(source, "eos_token_id", None)
        if token_ids is not None:
            found.update([token_ids] if isinstance(token_ids, int) else token_ids)
    return found


def _vocabulary(model_config: HFModelConfig) -> int | None:
    return len(model_config.tokenizer) if model_config.tokenizer is not None else None
