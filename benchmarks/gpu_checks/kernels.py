"""Packed attention against float32, one sequence at a time: its errors, and on CUDA its speed; printed as JSON.

python benchmarks/gpu_checks/kernels.py cuda|cpu
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable

import torch
from torch.nn.functional import scaled_dot_product_attention

from harness.backend.cuda.attention import packed_attention

LENGTHS = (70, 1, 33, 300)
TOKENS, SEQUENCE = 16_384, 512
TIMES, WARM_UP = 12, 2
LARGEST_ERROR = 0.02  # relative, in bfloat16


def errors(device: str) -> list[float]:
    """Relative errors in bfloat16 of the output, and of the gradients of queries, keys and values.

    Raises:
        RuntimeError: One of them is more than rounding.
    """
    packed = _tensors(sum(LENGTHS), device)
    exact = [tensor.detach().float().requires_grad_() for tensor in packed]
    positions = torch.cat([torch.arange(length, device=device) for length in LENGTHS])[None]
    ours = packed_attention(torch.nn.Module(), *packed, None, position_ids=positions)[0].transpose(1, 2)
    apart = zip(*(tensor.split(LENGTHS, 2) for tensor in exact), strict=True)
    theirs = torch.cat([scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True) for q, k, v in apart], 2)
    weights = torch.randn_like(theirs)
    (ours.float() * weights).sum().backward()
    (theirs * weights).sum().backward()
    pairs = [(ours, theirs)]
    for mine, other in zip(packed, exact, strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        pairs.append((mine.grad, other.grad))
    found = [float(((mine.float() - other).norm() / other.norm()).detach()) for mine, other in pairs]
    if not max(found) <= LARGEST_ERROR:  # nor NaN
        raise RuntimeError(f"packed sequences differ from each of them alone: relative errors {found}")
    return found


def milliseconds() -> dict[str, float]:
    """Forward and backward of 16,384 tokens in sequences of 512 on CUDA, packed and through SDPA with a mask."""
    long = _tensors(TOKENS, "cuda")
    positions = (torch.arange(TOKENS, device="cuda") % SEQUENCE)[None]
    blocks = torch.arange(TOKENS, device="cuda") // SEQUENCE
    mask = (blocks[:, None] == blocks[None]).tril()[None, None]
    return {
        "packed ms": _median(lambda: packed_attention(torch.nn.Module(), *long, None, position_ids=positions)[0]),
        "sdpa with a mask ms": _median(lambda: scaled_dot_product_attention(*long, attn_mask=mask, enable_gqa=True)),
    }


def _tensors(tokens: int, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values, ``[1, heads, tokens, 64]``, with three queries' heads to one of keys."""

    def drawn(heads: int) -> torch.Tensor:
        return torch.randn((1, heads, tokens, 64), device=device, dtype=torch.bfloat16, requires_grad=True)

    return drawn(9), drawn(3), drawn(3)


def _median(attend: Callable[[], torch.Tensor]) -> float:
    times = []
    for _ in range(TIMES):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        attend().sum().backward()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end))
    return statistics.median(times[WARM_UP:])


if __name__ == "__main__":
    of_output, *of_gradients = errors(sys.argv[1])
    print(
        json.dumps(
            {"error of output": of_output, "largest error of gradients": max(of_gradients)}
            | (milliseconds() if sys.argv[1] == "cuda" else {})
        )
    )
