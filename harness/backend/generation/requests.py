"""What is asked of the generation engine and what comes back, and the translation of verl's sampling parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigurationError

#: Keys that verl's agent loops and clients send.
SAMPLING_KEYS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_new_tokens",
    "stop_token_ids",
    "ignore_eos",
    "seed",
    "logprobs",
    "repetition_penalty",
)


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One response to sample.

    Attributes:
        prompt_ids: Token ids of the prompt; at least one.
        max_tokens: Most tokens to sample; at least 1.
        temperature: 0 is greedy; otherwise logits are divided by it.
        top_p: Nucleus mass in (0, 1]; 1 is off.
        top_k: Number of candidates; -1 or 0 is off.
        stop_token_ids: Tokens that end the response, beside the model's end-of-sequence tokens.
        ignore_eos: Whether the model's end-of-sequence tokens do not end the response.
        seed: The noise of token t is a function of (seed, t) and of nothing else.
        logprobs: Whether log-probabilities of the sampled tokens are returned.
    """

    prompt_ids: Sequence[int]
    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    seed: int = 0
    logprobs: bool = True

    def __post_init__(self) -> None:
        """Raises ConfigurationError naming the first value that cannot be sampled with."""
        rules = (
            (len(self.prompt_ids) > 0, "prompt_ids", "at least one token"),
            (self.max_tokens >= 1, "max_tokens", "at least 1"),
            (self.temperature >= 0, "temperature", "0 (greedy) or a positive number"),
            (0 < self.top_p <= 1, "top_p", "in (0, 1], where 1 is off"),
            (self.top_k >= -1, "top_k", "-1 or 0 (off) or a positive number"),
        )
        for holds, name, allowed in rules:
            if not holds:
                raise ConfigurationError(f"generation: {name}={getattr(self, name)!r} must be {allowed}")


@dataclass(slots=True)
class GenerationOutput:
    """One sampled response.

    Attributes:
        token_ids: Sampled tokens, the stop token included.
        log_probs: log p of each sampled token under softmax(logits / temperature) before top-k and top-p (temperature 1
            where decoding is greedy), which is what the trainer recomputes; None where it was not asked for.
        stop_reason: "stop" (a stop token), "length" (max_tokens) or "aborted".
    """

    token_ids: list[int]
    log_probs: list[float] | None
    stop_reason: str


@dataclass(frozen=True, slots=True)
class SamplingDefaults:
    """What a request that leaves something out gets: verl's ``rollout.*`` values."""

    prompt_length: int
    response_length: int
    max_model_len: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    ignore_eos: bool = False


def parse_request(
    prompt_ids: Sequence[int], params: Mapping[str, Any], defaults: SamplingDefaults, seed: int
) -> GenerationRequest:
    """Translates verl's sampling parameters.

    Args:
        prompt_ids: Token ids of the prompt.
        params: verl's ``sampling_params``; never modified.
        defaults: Values for what ``params`` leaves out.
        seed: Seed where ``params`` names none.

    Raises:
        ConfigurationError: A parameter is unknown or not supported, or the prompt leaves no room.
    """
    _refuse_unsupported(params)
    room = defaults.max_model_len - len(prompt_ids)
    if room < 1:
        raise ConfigurationError(
            f"a prompt of {len(prompt_ids)} tokens leaves no room to generate: the longest sequence is "
            f"{defaults.max_model_len} tokens (actor_rollout_ref.rollout.max_model_len, or the model's own limit)",
            "shorten data.max_prompt_length or raise actor_rollout_ref.rollout.max_model_len",
        )

    def value(name: str) -> Any:
        return params[name] if params.get(name) is not None else getattr(defaults, name)

    return GenerationRequest(
        prompt_ids=prompt_ids,
        max_tokens=max(1, min(_max_tokens(params, defaults, len(prompt_ids)), room)),
        temperature=float(value("temperature")),
        top_p=float(value("top_p")),
        top_k=int(value("top_k")),
        stop_token_ids=tuple(params.get("stop_token_ids") or ()),
        ignore_eos=bool(value("ignore_eos")),
        seed=int(params["seed"]) if params.get("seed") is not None else seed,
        # vLLM's convention: 0 asks for the sampled token's log-probability, None and False for none.
        logprobs=params.get("logprobs") is not None and params["logprobs"] is not False,
    )


def _refuse_unsupported(params: Mapping[str, Any]) -> None:
    unknown = sorted(set(params) - set(SAMPLING_KEYS))
    if unknown:
        raise ConfigurationError(
            f"the builtin generation server does not know the sampling parameter {', '.join(unknown)}; "
            f"it knows {', '.join(SAMPLING_KEYS)}",
            "remove it, or choose rollout=vllm",
        )
    if params.get("repetition_penalty") not in (None, 1, 1.0):
        raise ConfigurationError(
            f"repetition_penalty={params['repetition_penalty']} is not supported by the builtin generation server; "
            "only 1.0 (off) is, because the trainer's log-probs do not know a penalty"
        )


def _max_tokens(params: Mapping[str, Any], defaults: SamplingDefaults, prompt_length: int) -> int:
    """The token budget; where none is given, verl's: what prompt and response lengths leave over."""
    for name in ("max_tokens", "max_new_tokens"):
        if params.get(name) is not None:
            return int(params[name])
    return min(defaults.response_length, defaults.prompt_length + defaults.response_length - prompt_length)
