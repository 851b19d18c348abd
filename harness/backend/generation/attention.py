"""Attention over the KV cache, as an attention implementation that transformers calls in every layer.

A model set to `ATTENTION_NAME` calls `cached_attention`, which hands over to the `DecodeAttention` or
`PrefillAttention` of the running forward pass; it travels through the model's keyword arguments. Grouped-query heads
are never expanded: the query heads that share a KV head become query positions.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F  # noqa: N812
from transformers import AttentionInterface

from harness.backend.generation.cache import KVCache
from harness.backend.generation.prefill import PrefillPlan, PromptGroup
from harness.errors import ConfigurationError

ATTENTION_NAME = "harness_cached"


class BatchAttention(Protocol):
    """The attention of one forward pass."""

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        """Caches key and value and attends.

        Args:
            layer: Index of the layer.
            query: (rows, heads, tokens, head_dim).
            key: (rows, kv_heads, tokens, head_dim).
            value: Like key.
            scale: Factor on the scores; None for 1/sqrt(head_dim).

        Returns:
            (rows, tokens, heads, head_dim).
        """


def cached_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention interface; the mask and dropout arguments do not apply.

    Raises:
        ConfigurationError: The model wants an attention that the built-in server does not have.
    """
    batch: BatchAttention | None = kwargs.get("batch_attention")
    if batch is None:
        raise ConfigurationError(
            f"{type(module).__name__} does not pass keyword arguments on to its attention, which the builtin "
            "generation server needs",
            "choose rollout=vllm for this model",
        )
    for unsupported in ("softcap", "s_aux", "sliding_window"):
        if kwargs.get(unsupported) is not None:
            raise ConfigurationError(
                f"the model's attention uses {unsupported}={kwargs[unsupported]!r}, which the builtin generation "
                "server does not support",
                "choose rollout=vllm for this model",
            )
    return batch.attend(cast("int", module.layer_idx), query, key, value, scaling), None


AttentionInterface.register(ATTENTION_NAME, cached_attention)


class DecodeAttention:
    """One new token in each of the first B slots.

    Args:
        cache: Where keys and values are; those of the new tokens are written.
        lengths: (B,) int64, tokens already cached, which is the new token's position.
        width: Largest length + 1: the positions looked at.
        slots: (B,) int64, 0 … B-1.
    """

    def __init__(self, cache: KVCache, lengths: torch.Tensor, width: int, slots: torch.Tensor) -> None:
        self._cache = cache
        self._lengths = lengths
        self._slots = slots
        self._width = width
        visible = torch.arange(width, device=lengths.device) <= lengths[:, None]
        mask = torch.zeros(visible.shape, dtype=cache.keys.dtype, device=lengths.device)
        self._mask = mask.masked_fill_(~visible, float("-inf"))[:, None, None, :]

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        """See `BatchAttention`; here tokens is 1."""
        keys, values = self._cache.keys[layer], self._cache.values[layer]
        keys[self._slots, :, self._lengths] = key[:, :, 0]
        values[self._slots, :, self._lengths] = value[:, :, 0]
        rows, heads, _, head_dim = query.shape
        kv_heads = key.shape[1]
        output = F.scaled_dot_product_attention(
            query.reshape(rows, kv_heads, heads // kv_heads, head_dim),
            keys[:rows, :, : self._width],
            values[:rows, :, : self._width],
            attn_mask=self._mask,
            scale=scale,
        )
        return output.reshape(rows, 1, heads, head_dim)


class PrefillAttention:
    """The packed prompts of a `PrefillPlan`, each attending to its own beginning.

    Args:
        plan: The packed sequence.
        cache: Where keys and values go.
        slots: (U,) the slot of each different prompt.
    """

    def __init__(self, plan: PrefillPlan, cache: KVCache, slots: list[int]) -> None:
        self._plan = plan
        self._cache = cache
        device = cache.keys.device
        self._all_slots = torch.tensor(slots, device=device)
        self._group_slots = [self._all_slots[torch.tensor(group.prompts, device=device)] for group in plan.groups]
        self._masks: list[torch.Tensor | None] = [self._mask(group, device) for group in plan.groups]

    def _mask(self, group: PromptGroup, device: torch.device) -> torch.Tensor | None:
        """(length, shared + length), True where a token sees a position; None where plain causality says it."""
        shared = self._plan.shared
        if not shared:
            return None
        return torch.ones(group.length, shared + group.length, dtype=torch.bool, device=device).tril(shared)

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        """See `BatchAttention`; here rows is 1 and tokens the packed sequence."""
        _, heads, tokens, head_dim = query.shape
        shared = self._plan.shared
        output = query.new_empty(tokens, heads, head_dim)
        keys, values = self._cache.keys[layer], self._cache.values[layer]
        if shared:
            first = slice(0, shared)
            own = _causal(query[:, :, first], key[:, :, first], value[:, :, first], scale)
            output[first] = own[0].transpose(0, 1)
            keys[self._all_slots, :, :shared] = key[:, :, first]
            values[self._all_slots, :, :shared] = value[:, :, first]
        for group, slots, mask in zip(self._plan.groups, self._group_slots, self._masks, strict=True):
            end = group.start + len(group.prompts) * group.length
            q, k, v = (_unpack(part[0, :, group.start : end], group) for part in (query, key, value))
            keys[slots, :, shared : shared + group.length] = k
            values[slots, :, shared : shared + group.length] = v
            if mask is None:
                attended = _causal(q, k, v, scale)
            else:
                attended = _masked(q, _prepend(key, shared, k), _prepend(value, shared, v), mask, scale)
            output[group.start : end] = attended.transpose(1, 2).flatten(0, 1)
        return output[None]


def _unpack(packed: torch.Tensor, group: PromptGroup) -> torch.Tensor:
    """(heads, prompts × length, head_dim) → (prompts, heads, length, head_dim), a view."""
    return packed.unflatten(1, (len(group.prompts), group.length)).transpose(0, 1)


def _prepend(packed: torch.Tensor, shared: int, own: torch.Tensor) -> torch.Tensor:
    return torch.cat([packed[:, :, :shared].expand(own.shape[0], -1, -1, -1), own], dim=2)


def _causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None) -> torch.Tensor:
    grouped = query.shape[1] != key.shape[1]
    return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=grouped)


def _masked(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Attention under a mask; PyTorch's CPU kernel takes grouped heads with a mask only as query positions."""
    prompts, heads, length, head_dim = query.shape
    kv_heads = key.shape[1]
    group = heads // kv_heads
    folded = query.reshape(prompts, kv_heads, group * length, head_dim)
    output = F.scaled_dot_product_attention(folded, key, value, attn_mask=mask.repeat(group, 1), scale=scale)
    return output.reshape(prompts, heads, length, head_dim)
