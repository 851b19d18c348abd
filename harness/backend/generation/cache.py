"""Keys and values of every row of the running batch, in one tensor each."""

from __future__ import annotations

import torch

# Capacities are whole multiples: fewer reallocations, and every row starts on a cache line.
_CAPACITY_STEP = 64


class KVCache:
    """Keys and values by (layer, slot, KV head, position, head dimension).

    A slot holds one row, from position 0 on, so rows of any length share a batch without padding on the left.

    Args:
        layers: Number of attention layers.
        kv_heads: KV heads a layer.
        head_dim: Size of a head.
        dtype: The model's.
        device: The model's.
    """

    def __init__(self, layers: int, kv_heads: int, head_dim: int, dtype: torch.dtype, device: torch.device) -> None:
        self._shape = (layers, kv_heads, head_dim)
        self._dtype = dtype
        self._device = device
        self.release()

    @property
    def slots(self) -> int:
        """Number of rows there is room for."""
        return self.keys.shape[1]

    @property
    def capacity(self) -> int:
        """Number of positions a row has room for."""
        return self.keys.shape[3]

    def bytes_for(self, tokens: int) -> int:
        """Memory of one row of this many tokens, as it would be allocated."""
        layers, kv_heads, head_dim = self._shape
        return 2 * layers * kv_heads * head_dim * _rounded(tokens) * self._dtype.itemsize

    def reserve(self, slots: int, tokens: int, limit: int) -> None:
        """Makes room for this many rows of this many tokens; what is cached in them stays.

        Args:
            slots: Number of rows.
            tokens: Of the longest row.
            limit: Most bytes; room that was there before is given up where keeping it too would exceed them.
        """
        if slots <= self.slots and tokens <= self.capacity:
            return
        old_keys, old_values = self.keys, self.values
        wider, longer = max(slots, self.slots), max(_rounded(tokens), self.capacity)
        if wider * self.bytes_for(longer) <= limit:
            slots, tokens = wider, longer
        self._allocate(slots, _rounded(tokens))
        rows, positions = min(slots, old_keys.shape[1]), min(tokens, old_keys.shape[3])
        self.keys[:, :rows, :, :positions] = old_keys[:, :rows, :, :positions]
        self.values[:, :rows, :, :positions] = old_values[:, :rows, :, :positions]

    def copy(self, sources: list[int], targets: list[int], tokens: int) -> None:
        """Copies the first ``tokens`` positions of some slots to others; no slot may be in both lists."""
        if not sources:
            return
        source = torch.tensor(sources, device=self._device)
        target = torch.tensor(targets, device=self._device)
        for cached in (self.keys, self.values):
            view = cached[:, :, :, :tokens]
            view.index_copy_(1, target, view.index_select(1, source))

    def release(self) -> None:
        """Gives the memory back; what is cached is lost."""
        self._allocate(0, 0)

    def _allocate(self, slots: int, capacity: int) -> None:
        layers, kv_heads, head_dim = self._shape
        shape = (layers, slots, kv_heads, capacity, head_dim)
        # Zeros, not garbage: masked positions are multiplied by a weight of 0, and 0 × NaN is NaN.
        self.keys = torch.zeros(shape, dtype=self._dtype, device=self._device)
        self.values = torch.zeros(shape, dtype=self._dtype, device=self._device)


def _rounded(tokens: int) -> int:
    return -(-tokens // _CAPACITY_STEP) * _CAPACITY_STEP
