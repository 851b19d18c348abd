"""Sums over the tokens of responses: scores, discounted sums from the end, whitening."""

from __future__ import annotations

import torch

_BLOCK = 64  # tokens; a block of the scan is one small matrix product
_WHITENING_EPSILON = 1e-8


def scores(rewards_NT: torch.Tensor) -> torch.Tensor:
    """(N,), the sum of each response's rewards, also of one that stands outside the mask, as in verl."""
    return rewards_NT.sum(dim=1)


def on_tokens(values_N: torch.Tensor, mask_NT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One value for all tokens of a response, as advantages and as returns, both (N, T)."""
    # a product with an integer mask would convert it first, which takes longer than all else
    values_NT = torch.where(mask_NT > 0, values_N[:, None], 0.0)
    return values_NT, values_NT


def discounted_sum(values_NT: torch.Tensor, factor: float) -> torch.Tensor:
    """y_t = x_t + factor · y_{t+1} for every row, by blocks from the end.

    Args:
        values_NT: (N, T), zero where nothing counts.
        factor: Between 0 and 1.
    """
    if factor == 1.0:
        return values_NT.flip(1).cumsum(1).flip(1)
    result_NT = torch.empty_like(values_NT)
    powers = factor ** torch.arange(_BLOCK + 1, dtype=torch.float64)
    distance = torch.arange(_BLOCK)[:, None] - torch.arange(_BLOCK)[None]
    matrix = torch.where(distance >= 0, powers[distance.clamp(min=0)], 0.0).to(values_NT.dtype)
    powers = powers.to(values_NT.dtype)
    carry_N = torch.zeros(len(values_NT), dtype=values_NT.dtype)
    for end in range(values_NT.shape[1], 0, -_BLOCK):
        first = max(0, end - _BLOCK)
        size = end - first
        block = torch.addmm(
            carry_N[:, None] * powers[1 : size + 1].flip(0), values_NT[:, first:end], matrix[:size, :size]
        )
        result_NT[:, first:end], carry_N = block, block[:, 0]
    return result_NT


def whiten(values_NT: torch.Tensor, mask_NT: torch.Tensor) -> torch.Tensor:
    """Mean 0 and variance 1 over the batch's response tokens; zero elsewhere, where the values must be zero too.

    Source: verl.utils.torch_functional.masked_whiten, except that fewer than two tokens are left at 0.
    """
    count = int(mask_NT.sum())
    if count < 2:
        return torch.zeros_like(values_NT)
    centred_NT = torch.where(mask_NT > 0, values_NT - values_NT.sum() / count, 0.0)
    variance = centred_NT.square().sum() / (count - 1)  # sums pairwise; vector_norm loses digits
    return centred_NT.mul_(torch.rsqrt(variance + _WHITENING_EPSILON))


class Packed:
    """Response tokens moved to the left of each row where the mask has gaps, as between turns; undone by `back`.

    Args:
        mask_NT: The response mask.
    """

    def __init__(self, mask_NT: torch.Tensor) -> None:
        inside = mask_NT > 0
        self.has_gaps = bool((inside[:, 1:] & ~inside[:, :-1]).any())
        self.order_NT = torch.argsort(~inside, dim=1, stable=True) if self.has_gaps else None
        self.mask_NT = mask_NT if self.order_NT is None else mask_NT.gather(1, self.order_NT)

    def pack(self, values_NT: torch.Tensor) -> torch.Tensor:
        """Tokens to the left, zero outside the mask."""
        inside = self.mask_NT > 0
        return torch.where(inside, values_NT if self.order_NT is None else values_NT.gather(1, self.order_NT), 0.0)

    def back(self, values_NT: torch.Tensor) -> torch.Tensor:
        """Tokens where they came from."""
        return values_NT if self.order_NT is None else torch.empty_like(values_NT).scatter_(1, self.order_NT, values_NT)
