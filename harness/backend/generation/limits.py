"""How much the engine takes on at once, and which requests can therefore never run."""

from __future__ import annotations

from dataclasses import dataclass

from harness.backend.generation.requests import GenerationRequest
from harness.errors import ConfigurationError

GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How much the engine takes on at once.

    Attributes:
        max_batch_size: Most rows that decode together.
        max_sequence_length: Most tokens of prompt and response; None for the model's own limit.
        max_prefill_tokens: Most prompt tokens in one forward pass (one longer prompt still runs, alone).
        cache_bytes: Most memory of the KV cache; fewer rows run together where it would be exceeded.
    """

    max_batch_size: int = 256
    max_sequence_length: int | None = None
    max_prefill_tokens: int = 8192
    cache_bytes: int = 4 * GIBIBYTE


def check_request(
    request: GenerationRequest, longest: int, vocabulary: int, cache_bytes: int, cache_bytes_needed: int
) -> None:
    """Refuses a request that can never run.

    Args:
        request: To be checked.
        longest: Most tokens of prompt and response.
        vocabulary: Number of token ids that the model has.
        cache_bytes: Most memory of the KV cache.
        cache_bytes_needed: What this request alone would take of it.

    Raises:
        ConfigurationError: It is too long, or has a token that the model does not have.
    """
    tokens = len(request.prompt_ids) + request.max_tokens
    if tokens > longest:
        raise ConfigurationError(
            f"a prompt of {len(request.prompt_ids)} tokens and {request.max_tokens} new ones exceed the longest "
            f"sequence, {longest} tokens",
            "shorten prompts or responses, or raise actor_rollout_ref.rollout.max_model_len",
        )
    if cache_bytes_needed > cache_bytes:
        raise ConfigurationError(
            f"one sequence of {tokens} tokens needs {cache_bytes_needed / GIBIBYTE:.1f} GiB of KV cache, more than the "
            f"{cache_bytes / GIBIBYTE:.1f} GiB allowed",
            "raise actor_rollout_ref.rollout.engine_kwargs.builtin.kv_cache_gb",
        )
    low, high = min(request.prompt_ids), max(request.prompt_ids)
    if low < 0 or high >= vocabulary:
        raise ConfigurationError(
            f"the prompt has token ids {low} … {high}, and the model's vocabulary is 0 … {vocabulary - 1}",
            "use the tokenizer that belongs to the model",
        )
