"""Choosing the next token of each row, with noise that no neighbour in the batch can change.

One uniform number a token decides by the inverse of the cumulative distribution. The number is SplitMix64 (Steele, Lea
and Flood 2014, "Fast splittable pseudorandom number generators") keyed by the request's seed at counter t, so it
depends on (seed, t) alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

# SplitMix64's constants.
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MASK_64 = (1 << 64) - 1
# First guess of how many candidates hold the nucleus; a full sort of the vocabulary costs 15 times as much.
_NUCLEUS_CANDIDATES = 256


def uniform_noise(seeds: Sequence[int], count: int) -> torch.Tensor:
    """Uniform numbers in [0, 1) for positions 0 … count-1 of each seed.

    Returns:
        float32 of shape (len(seeds), count), multiples of 2**-24.
    """
    keys = _mix(np.array([seed & _MASK_64 for seed in seeds], dtype=np.uint64) + _GAMMA)
    counters = np.arange(1, count + 1, dtype=np.uint64) * _GAMMA
    bits = _mix(keys[:, None] + counters[None, :]) >> np.uint64(40)
    return torch.from_numpy(bits.astype(np.float32) * np.float32(2.0**-24))


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))


@dataclass(slots=True)
class SamplingParameters:
    """The parameters of B rows as tensors.

    Attributes:
        temperature: (B,) float32, 0 for greedy rows.
        top_k: (B,) int64, at most 0 where off.
        top_p: (B,) float32, 1 where off.
        noise: (B,) float32, one uniform number a row.
        any_greedy, any_sampled, any_filtered: Whether some row needs that path, known without asking the device.
    """

    temperature: torch.Tensor
    top_k: torch.Tensor
    top_p: torch.Tensor
    noise: torch.Tensor
    any_greedy: bool
    any_sampled: bool
    any_filtered: bool


def sample_tokens(logits: torch.Tensor, parameters: SamplingParameters) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples one token a row.

    Args:
        logits: (B, V), any floating type.
        parameters: Of the same B rows.

    Returns:
        tokens: (B,) int64.
        log_probs: (B,) float32; log softmax(logits / temperature) of the chosen token, before top-k and top-p, and at
            temperature 1 for greedy rows.
    """
    logits = logits.float() if logits.dtype != torch.float64 else logits
    scale = torch.where(parameters.temperature > 0, parameters.temperature, 1.0)
    scaled = logits / scale[:, None]
    # Weights are exp(logit - max): every sum below is relative to the largest probability, so nothing overflows.
    weights = scaled.sub_(scaled.amax(-1, keepdim=True)).exp_()
    greedy = logits.argmax(-1) if parameters.any_greedy or not parameters.any_sampled else None
    if parameters.any_sampled:
        cumulative = weights.cumsum(-1)
        total = cumulative[:, -1]
        tokens = _invert(cumulative, parameters.noise)
        if parameters.any_filtered:
            tokens = _resample_filtered(weights, total, tokens, parameters)
        if greedy is not None:
            tokens = torch.where(parameters.temperature > 0, tokens, greedy)
    else:
        assert greedy is not None
        total, tokens = weights.sum(-1), greedy
    chosen = weights.gather(-1, tokens[:, None])[:, 0]
    return tokens, (chosen / total).log().float()


def _invert(cumulative: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """First index whose cumulative weight exceeds noise × total; an index of weight 0 is never returned."""
    total = cumulative[:, -1:]
    # noise < 1, yet noise × total may round up to total, where no index exceeds it.
    target = torch.minimum(noise[:, None].to(total.dtype) * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, target, right=True)[:, 0]


def _resample_filtered(
    weights: torch.Tensor, total: torch.Tensor, tokens: torch.Tensor, parameters: SamplingParameters
) -> torch.Tensor:
    """Replaces the tokens of the rows that have top-k or top-p; the others keep theirs."""
    filtered = ((parameters.top_k > 0) | (parameters.top_p < 1)) & (parameters.temperature > 0)
    rows = filtered.nonzero()[:, 0]
    if rows.numel() == 0:
        return tokens
    top_k, top_p = parameters.top_k[rows], parameters.top_p[rows]
    picked = _sample_nucleus(weights[rows], total[rows], top_k, top_p, parameters.noise[rows])
    return tokens.index_copy(0, rows, picked)


def _sample_nucleus(
    weights: torch.Tensor, total: torch.Tensor, top_k: torch.Tensor, top_p: torch.Tensor, noise: torch.Tensor
) -> torch.Tensor:
    """Top-k, then top-p of what top-k leaves, in the order of transformers and vLLM.

    The nucleus is the smallest set of likeliest tokens whose mass reaches ``top_p``; it has at least one.
    """
    vocabulary = weights.shape[-1]
    has_k = (top_k > 0) & (top_k < vocabulary)
    candidates = int(torch.where(has_k, top_k, _NUCLEUS_CANDIDATES).max())
    while True:
        candidates = min(candidates, vocabulary)
        best, index = weights.topk(candidates, dim=-1)
        rank = torch.arange(candidates, device=weights.device)
        best = torch.where(~has_k[:, None] | (rank < top_k[:, None]), best, 0)
        mass = torch.where(has_k, best.sum(-1), total)
        wanted = (top_p.to(mass.dtype) * mass)[:, None]
        cumulative = best.cumsum(-1)
        # A row without top-k whose nucleus is wider than the candidates: look at the whole vocabulary.
        if candidates == vocabulary or bool((has_k | (cumulative[:, -1:] >= wanted)[:, 0]).all()):
            break
        candidates = vocabulary
    kept = torch.where(cumulative - best < wanted, best, 0)
    return index.gather(-1, _invert(kept.cumsum(-1), noise)[:, None])[:, 0]
