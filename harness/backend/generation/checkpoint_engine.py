"""Weights from the trainer to standalone generation servers over gloo, for ``trainer_mode=separate_async``.

verl asks for a checkpoint engine other than ``naive`` there, and its own need NCCL or RDMA. This one broadcasts
buckets from the trainer's rank 0 over torch.distributed's gloo, so it needs nothing but a network; the processes may
be on several hosts. Use it with ``rollout.checkpoint_engine.backend=gloo`` and
``rollout.checkpoint_engine.custom_backend_module=harness.backend.generation.checkpoint_engine``.
Source of the contract: verl.checkpoint_engine.base.CheckpointEngine and its NCCL engine.
"""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import ray
import torch
from torch.distributed import ProcessGroupGloo, TCPStore
from verl.checkpoint_engine.base import (
    CheckpointEngine,
    CheckpointEngineRegistry,
    TensorMeta,
    merge_weight_chunks,
    split_weight_chunks,
)

from harness.backend.generation.options import CHECKPOINT_BACKEND

# A bucket is copied on both sides; beyond this size nothing gets faster, and memory only gets scarcer.
_LARGEST_BUCKET = 64 << 20
_TIMEOUT_SECONDS = 600
_SOURCE = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the processes of one transfer meet."""

    host: str
    port: int


@CheckpointEngineRegistry.register(CHECKPOINT_BACKEND)
class GlooCheckpointEngine(CheckpointEngine):
    """Broadcasts weights in buckets; the process group lives for one transfer.

    Args:
        bucket_size: Bytes of a bucket; at most 64 MiB are used.
        is_master: Whether this is the trainer's rank 0, the source.
        timeout_seconds: After this long without the others a transfer fails instead of hanging
            (``checkpoint_engine.engine_kwargs.gloo.timeout_seconds``).
    """

    def __init__(self, bucket_size: int, is_master: bool = False, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self.bucket_size = min(bucket_size, _LARGEST_BUCKET)
        self.is_master = is_master
        self._timeout = timedelta(seconds=timeout_seconds)
        self._store: TCPStore | None = None
        self._group: ProcessGroupGloo | None = None
        self.rank = -1

    def prepare(self) -> Endpoint | None:
        """Opens the meeting point where this is the source.

        Returns:
            The endpoint; None elsewhere.
        """
        if not self.is_master:
            return None
        host = ray.util.get_node_ip_address().strip("[]")
        self._store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=self._timeout)
        return Endpoint(host, self._store.port)

    @classmethod
    def build_topology(
        cls, actor_wg_world_size: int, rollout_world_size: int, metadata: list[Endpoint | None]
    ) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """Rank 0 is the trainer's first worker; its others (rank -1) only take part in gathering the weights."""
        world_size = 1 + rollout_world_size
        endpoint = metadata[0]

        def arguments(ranks: list[int]) -> dict[str, list[Any]]:
            return {"rank": ranks, "world_size": [world_size] * len(ranks), "endpoint": [endpoint] * len(ranks)}

        actor_ranks = [_SOURCE] + [-1] * (actor_wg_world_size - 1)
        return arguments(actor_ranks), arguments(list(range(1, world_size)))

    def init_process_group(self, rank: int, world_size: int, endpoint: Endpoint) -> None:
        """Joins the others; trainer workers of rank -1 stay outside."""
        self.rank = rank
        if rank < 0:
            return
        if self._store is None:
            self._store = TCPStore(
                endpoint.host, endpoint.port, is_master=False, wait_for_workers=False, timeout=self._timeout
            )
        options = ProcessGroupGloo._Options()
        # Bound to the address Ray knows this node by: a host name may resolve to a loopback address.
        options._devices = [ProcessGroupGloo.create_device(hostname=ray.util.get_node_ip_address().strip("[]"))]
        options._timeout = self._timeout
        self._group = ProcessGroupGloo(self._store, rank, world_size, options)

    def finalize(self) -> None:
        """Leaves the group and closes the meeting point."""
        self._group = None
        self._store = None

    @torch.no_grad()
    async def send_weights(self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int | None = None) -> None:
        """Broadcasts every weight, or only takes part in gathering them where this is not the source.

        Args:
            weights: (name, full tensor) pairs; always read to the end.
            global_steps: Not used.
        """
        if self.rank != _SOURCE:
            for _ in weights:
                pass
            return
        bucket = torch.empty(self.bucket_size, dtype=torch.uint8)
        metas: list[TensorMeta] = []
        used = 0
        async for meta, chunk in split_weight_chunks(_contiguous(weights), self.bucket_size):
            if used + meta.chunk_size > self.bucket_size:
                await asyncio.to_thread(self._send, bucket[:used], metas, False)
                metas, used = [], 0
            meta.offset = used
            bucket[used : used + meta.chunk_size].copy_(chunk)
            metas.append(meta)
            used = _aligned(used + meta.chunk_size)
        await asyncio.to_thread(self._send, bucket[:used], metas, True)

    async def receive_weights(self, global_steps: int | None = None) -> AsyncGenerator[tuple[str, torch.Tensor]]:
        """Yields (name, tensor) as they arrive; a tensor is valid until the next one is asked for."""
        async for name, weight in merge_weight_chunks(self._chunks(), self.bucket_size):
            yield name, weight

    async def _chunks(self) -> AsyncIterable[tuple[TensorMeta, torch.Tensor]]:
        bucket = torch.empty(self.bucket_size, dtype=torch.uint8)
        last = False
        while not last:
            metas, last = await asyncio.to_thread(self._receive, bucket)
            for meta in metas:
                yield meta, bucket[meta.offset : meta.offset + meta.chunk_size]

    def _send(self, bucket: torch.Tensor, metas: list[TensorMeta], last: bool) -> None:
        header = torch.frombuffer(bytearray(pickle.dumps((metas, bucket.numel(), last))), dtype=torch.uint8)
        self._broadcast(torch.tensor([header.numel()]))
        self._broadcast(header)
        if bucket.numel():
            self._broadcast(bucket)

    def _receive(self, bucket: torch.Tensor) -> tuple[list[TensorMeta], bool]:
        size = torch.zeros(1, dtype=torch.int64)
        self._broadcast(size)
        header = torch.empty(int(size), dtype=torch.uint8)
        self._broadcast(header)
        metas, used, last = pickle.loads(header.numpy().tobytes())
        if used:
            self._broadcast(bucket[:used])
        return metas, last

    def _broadcast(self, tensor: torch.Tensor) -> None:
        assert self._group is not None, "init_process_group comes first"
        self._group.broadcast(tensor, _SOURCE).wait(self._timeout)


def _contiguous(weights: Iterable[tuple[str, torch.Tensor]]) -> Iterable[tuple[str, torch.Tensor]]:
    for name, weight in weights:
        yield name, weight.detach().cpu().contiguous()


def _aligned(offset: int) -> int:
    """A weight's bytes can be viewed as its type only from a multiple of the type's size on."""
    return -(-offset // 64) * 64
