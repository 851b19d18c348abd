"""Log-probabilities and entropies of tokens from logits, in float32, a few rows at a time.

Autograd's own path over a vocabulary of 49,152 writes and reads matrices of that width a dozen times; here the forward
pass reads the logits once and the backward pass once more.
"""

from __future__ import annotations

from typing import Any

import torch

_CHUNK = 1 << 20  # numbers in flight: a few MB stay in the processor's cache
_CHUNK_OF_A_GPU = 1 << 26  # a quarter of a GB, so that a step is few kernels


def token_scores(
    logits: torch.Tensor, labels: torch.Tensor, temperature: torch.Tensor, with_entropy: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """log π(label) and H(π), with π = softmax(logits / temperature).

    Args:
        logits: (tokens, vocabulary), any floating type.
        labels: (tokens,).
        temperature: (tokens,).
        with_entropy: Whether the entropy is wanted.

    Returns:
        (tokens,) float32 each; the entropy None where not wanted. Both can be differentiated.
    """
    log_probs, entropy = _TokenScores.apply(logits, labels, temperature, with_entropy)
    return log_probs, entropy if with_entropy else None


class _TokenScores(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: torch.Tensor, labels: torch.Tensor, temperature: torch.Tensor, with_entropy: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        log_probs = torch.empty(len(logits), dtype=torch.float32, device=logits.device)
        entropy = torch.zeros_like(log_probs)
        for rows in _chunks(logits):
            scores = _log_softmax(logits, temperature, rows)
            log_probs[rows] = scores.gather(1, labels[rows, None])[:, 0]
            if with_entropy:
                entropy[rows] = -(scores.exp() * scores).sum(1)
        ctx.save_for_backward(logits, labels, temperature, entropy)
        ctx.with_entropy = with_entropy
        return log_probs, entropy

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        logits, labels, temperature, entropy = ctx.saved_tensors
        of_log_prob, of_entropy = gradients
        result = torch.empty_like(logits)
        for rows in _chunks(logits):
            scores = _log_softmax(logits, temperature, rows)
            # ∂ log π(y)/∂x = 1[y] − π and ∂H/∂x = −π (log π + H)
            weight = of_log_prob[rows, None]
            if ctx.with_entropy:
                weight = weight + of_entropy[rows, None] * (scores + entropy[rows, None])
            gradient = scores.exp_().mul_(weight).neg_() if not ctx.with_entropy else -scores.exp() * weight
            gradient.scatter_add_(1, labels[rows, None], of_log_prob[rows, None])
            result[rows] = gradient.div_(temperature[rows, None])
        return result, None, None, None


def _chunks(logits: torch.Tensor) -> list[slice]:
    rows = max(1, (_CHUNK_OF_A_GPU if logits.is_cuda else _CHUNK) // logits.shape[1])
    return [slice(first, first + rows) for first in range(0, len(logits), rows)]


def _log_softmax(logits: torch.Tensor, temperature: torch.Tensor, rows: slice) -> torch.Tensor:
    return torch.log_softmax(logits[rows].float() / temperature[rows, None], dim=1)
