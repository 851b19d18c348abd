"""Attention over packed sequences with PyTorch's own FlashAttention kernels, for machines without flash-attn.

verl packs the responses of a micro-batch into one row (``use_remove_padding``) and needs an attention that keeps them
apart by their positions. The package flash-attn does, but has no wheels and takes an hour to compile; PyTorch holds the
same kernels. Chosen with ``actor_rollout_ref.model.override_config.attn_implementation=harness_packed``.

Sequences may be spread over processes (``ulysses_sequence_parallel_size``), as with flash-attn.

Source: `torch.nn.attention.varlen.varlen_attn`; FlashAttention-2, https://arxiv.org/abs/2307.08691; Ulysses,
https://arxiv.org/abs/2309.14509, with verl's own exchanges.
"""

from __future__ import annotations

from inspect import signature
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from verl.utils.ulysses import (
    gather_heads_scatter_seq,
    gather_seq_scatter_heads,
    get_ulysses_sequence_parallel_group,
    get_ulysses_sequence_parallel_world_size,
)

from harness.errors import ConfigurationError

NAME = "harness_packed"
_BOUNDS = "_harness_bounds"  # on the tensor of positions, which every layer of a forward pass is given


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    position_ids: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface: causal, within each packed sequence; SDPA for what is not causal.

    Args:
        module: The attention layer.
        query: (rows, heads, tokens, head_dim).
        key: (rows, kv_heads, tokens, head_dim).
        value: Like key.
        attention_mask: Not looked at. Several rows are padded on the right, where no token looks.
        scaling: Factor on the scores; None for 1/sqrt(head_dim).
        dropout: Must be 0.
        sliding_window: How many tokens a token sees, itself included; None for all before it.
        position_ids: (1, tokens), each sequence from 0 on. Without it, or with several rows, a row is one sequence.
        **kwargs: transformers'.

    Returns:
        (rows, tokens, heads, head_dim), and None where transformers expects weights.

    Raises:
        ConfigurationError: The model wants an attention that these kernels do not have.
    """
    if not kwargs.get("is_causal", getattr(module, "is_causal", True)):  # an image tower
        arguments = (module, query, key, value, attention_mask)
        return sdpa_attention_forward(*arguments, dropout=dropout, scaling=scaling, **kwargs)
    _require_supported(softcap=kwargs.get("softcap"), s_aux=kwargs.get("s_aux"), dropout=dropout or None)
    if position_ids is None or query.shape[0] > 1:
        return _attend(query, key, value, None, query.shape[2], scaling, sliding_window), None
    shares = get_ulysses_sequence_parallel_world_size()
    if shares == 1:
        return _attend(query, key, value, *_bounds(position_ids), scaling, sliding_window), None
    # Ulysses: each process has a part of the tokens; for the attention it gets all of them and a part of the heads
    repeats = max(shares // key.shape[1], 1)
    parts = (query, key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1))
    query, key, value = (gather_seq_scatter_heads(part, seq_dim=2, head_dim=1) for part in parts)
    attended = _attend(query, key, value, *_bounds(position_ids), scaling, sliding_window)
    return gather_heads_scatter_seq(attended, head_dim=2, seq_dim=1), None


def _require_supported(**asked: Any) -> None:
    if unsupported := sorted(name for name, wanted in asked.items() if wanted is not None):
        raise ConfigurationError(
            f"the model's attention uses {', '.join(unsupported)}, which attn_implementation={NAME} does not have",
            "install flash-attn, or set actor_rollout_ref.model.override_config.attn_implementation=eager and "
            "actor_rollout_ref.model.use_remove_padding=false",
        )


def register() -> None:
    """Make the name known to transformers in this process."""
    AttentionInterface.register(NAME, packed_attention)


def _bounds(position_ids: torch.Tensor) -> tuple[torch.Tensor, int]:
    """(sequences + 1,) int32, where sequences begin and end; and the longest one's length."""
    known = getattr(position_ids, _BOUNDS, None)
    if known is None:
        flat = _of_all_shares(position_ids).reshape(-1)
        starts = (flat == 0).nonzero().flatten().to(torch.int32)
        bounds = F.pad(starts, (0, 1), value=len(flat))
        known = bounds, int(bounds.diff().max())
        setattr(position_ids, _BOUNDS, known)  # one wait for the GPU a forward pass, not one a layer
    return known


def _of_all_shares(position_ids: torch.Tensor) -> torch.Tensor:
    shares = get_ulysses_sequence_parallel_world_size()
    if shares == 1:
        return position_ids
    parts = [torch.empty_like(position_ids) for _ in range(shares)]
    torch.distributed.all_gather(parts, position_ids.contiguous(), group=get_ulysses_sequence_parallel_group())
    return torch.cat(parts, dim=-1)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor | None,
    longest: int,
    scale: float | None,
    window: int | None,
) -> torch.Tensor:
    if window is not None and longest <= window:
        window = None
    if bounds is not None and query.is_cuda and query.dtype in (torch.bfloat16, torch.float16):
        return _kernel(query, key, value, bounds, longest, scale, window)
    lengths = [query.shape[2]] if bounds is None else bounds.diff().tolist()
    parts = zip(*(tensor.split(lengths, dim=2) for tensor in (query, key, value)), strict=True)
    return torch.cat([_one(*part, scale, window) for part in parts], dim=2).transpose(1, 2)


def _kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor,
    longest: int,
    scale: float | None,
    window: int | None,
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn  # PyTorch 2.10 and later

    q, k, v = (tensor[0].transpose(0, 1).to(query.dtype) for tensor in (query, key, value))
    left = -1 if window is None else window - 1
    told = "enable_gqa" in signature(varlen_attn).parameters  # 2.11 needs not be told
    grouped: Any = {"enable_gqa": True} if told else {}
    attended = varlen_attn(q, k, v, bounds, bounds, longest, longest, scale=scale, window_size=(left, 0), **grouped)
    return cast("torch.Tensor", attended)[None]


def _one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None, window: int | None
) -> torch.Tensor:
    """One sequence a row, by PyTorch's ordinary attention: for float32, and for a CPU."""
    grouped = query.shape[1] != key.shape[1]
    if window is None:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=grouped)
    seen = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device)
    mask = seen.tril().triu(1 - window)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scale, enable_gqa=grouped)
