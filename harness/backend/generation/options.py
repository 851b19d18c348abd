"""Which ``actor_rollout_ref.rollout.*`` options the built-in generation server honours; all others are refused.

Reads any object with verl's attribute names, so it needs neither verl nor Ray.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from harness.backend.generation.limits import GIBIBYTE
from harness.backend.generation.requests import SamplingDefaults
from harness.errors import ConfigurationError

ROLLOUT_NAME = "builtin"
CHECKPOINT_BACKEND = "gloo"
#: Number of CPU threads a process computes with; all of the machine's where unset.
THREADS_VARIABLE = "HARNESS_CPU_THREADS"
DTYPES = ("float32", "bfloat16", "float16")
#: Weights come from the trainer, or from the model's folder.
LOAD_FORMATS = ("dummy", "auto", "safetensors", "hf")
_KEY = "actor_rollout_ref.rollout"
_DEFAULT_CACHE_GB = 4.0


@dataclass(frozen=True, slots=True)
class GenerationOptions:
    """The options of one server.

    Attributes:
        dtype: Of weights and computation; one of `DTYPES`.
        load_checkpoint: Whether weights are read from the model's folder instead of waiting for the trainer's.
        max_batch_size: Most rows that decode together.
        max_prefill_tokens: Most prompt tokens in one forward pass.
        cache_gb: Most memory of the KV cache in GiB on a CPU; on CUDA ``gpu_memory_utilization`` decides.
        seed: Root of the seeds of requests that name none.
        sampling: What a request that leaves something out gets.
    """

    dtype: str
    load_checkpoint: bool
    max_batch_size: int
    max_prefill_tokens: int
    cache_gb: float | None
    seed: int
    sampling: SamplingDefaults


def resolve_options(rollout: Any, model: Any, max_positions: int) -> GenerationOptions:
    """Translates verl's rollout configuration.

    Args:
        rollout: verl's RolloutConfig.
        model: verl's HFModelConfig.
        max_positions: The longest sequence the model itself allows.

    Raises:
        ConfigurationError: Options that the server cannot honour, all of them at once.
    """
    problems = _problems(rollout, model, max_positions)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise ConfigurationError(
            f"rollout=builtin cannot honour these options:\n{listed}", "change them, or choose rollout=vllm"
        )
    return GenerationOptions(
        dtype=rollout.dtype,
        load_checkpoint=rollout.load_format != "dummy",
        max_batch_size=rollout.max_num_seqs,
        max_prefill_tokens=rollout.max_num_batched_tokens,
        cache_gb=_engine_kwargs(rollout).get("kv_cache_gb"),
        seed=rollout.seed,
        sampling=SamplingDefaults(
            prompt_length=rollout.prompt_length,
            response_length=rollout.response_length,
            max_model_len=rollout.max_model_len or max_positions,
            temperature=rollout.temperature,
            top_p=rollout.top_p,
            top_k=rollout.top_k,
            ignore_eos=rollout.ignore_eos,
        ),
    )


def cache_bytes(options: GenerationOptions) -> int:
    """Memory of the KV cache on a CPU, in bytes."""
    return int((options.cache_gb or _DEFAULT_CACHE_GB) * GIBIBYTE)


def cpu_threads() -> int:
    """Threads to compute with: HARNESS_CPU_THREADS, else every core this process may use.

    Raises:
        ConfigurationError: The variable is not a positive whole number.
    """
    value = os.environ.get(THREADS_VARIABLE)
    if not value:
        return len(os.sched_getaffinity(0))
    if not value.isdecimal() or int(value) < 1:
        raise ConfigurationError(f"{THREADS_VARIABLE}={value!r} must be a positive whole number", "correct or unset it")
    return int(value)


def _engine_kwargs(rollout: Any) -> dict[str, Any]:
    return dict((rollout.engine_kwargs or {}).get(ROLLOUT_NAME) or {})


def _problems(rollout: Any, model: Any, max_positions: int) -> list[str]:
    return [*_unsupported(rollout), *_out_of_range(rollout, max_positions), *_lora(model)]


def _unsupported(rollout: Any) -> list[str]:
    """Features of other servers that would silently be off."""
    wanted = {
        "tensor_model_parallel_size": 1,
        "data_parallel_size": 1,
        "pipeline_model_parallel_size": 1,
        "repetition_penalty": 1.0,
        "quantization": None,
        "enable_rollout_routing_replay": False,
        "limit_images": None,
        "prometheus.enable": False,
        "mtp.enable": False,
        "disaggregation.enabled": False,
        "qat.enable": False,
        "profiler.enable": False,
    }
    problems = []
    for name, only in wanted.items():
        value = _look_up(rollout, name)
        if value is not None and value != only:
            problems.append(f"{_KEY}.{name}={value!r}: only {only!r} is supported")
    return problems


def _look_up(rollout: Any, name: str) -> Any:
    value = rollout
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part, None)
        if value is None:
            return None
    return value


def _out_of_range(rollout: Any, max_positions: int) -> list[str]:
    problems = []
    if rollout.dtype not in DTYPES:
        problems.append(f"{_KEY}.dtype={rollout.dtype!r}: one of {', '.join(DTYPES)}")
    if rollout.load_format not in LOAD_FORMATS:
        problems.append(f"{_KEY}.load_format={rollout.load_format!r}: one of {', '.join(LOAD_FORMATS)}")
    if rollout.max_num_seqs < 1:
        problems.append(f"{_KEY}.max_num_seqs={rollout.max_num_seqs}: at least 1")
    if rollout.max_model_len is not None and rollout.max_model_len > max_positions:
        problems.append(f"{_KEY}.max_model_len={rollout.max_model_len}: the model allows {max_positions}")
    kwargs = _engine_kwargs(rollout)
    if unknown := sorted(set(kwargs) - {"kv_cache_gb"}):
        problems.append(f"{_KEY}.engine_kwargs.{ROLLOUT_NAME}: unknown {', '.join(unknown)}; it takes kv_cache_gb")
    if (size := kwargs.get("kv_cache_gb")) is not None and not size > 0:
        problems.append(f"{_KEY}.engine_kwargs.{ROLLOUT_NAME}.kv_cache_gb={size!r}: a positive number of GiB")
    return problems


def _lora(model: Any) -> list[str]:
    lora = model.lora or {}
    adapters = max(model.lora_rank or 0, lora.get("rank") or 0) > 0
    if adapters and not lora.get("merge"):
        return ["actor_rollout_ref.model.lora.merge=False: the server takes merged weights, so it must be True"]
    return []
