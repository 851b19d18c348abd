"""DAPO's overlong filtering (arXiv:2503.14476): responses cut off at the limit are left out of the policy's loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
import transfer_queue as tq
from tensordict import TensorDict
from transfer_queue import KVBatchMeta

MASKS = ("response_mask", "loss_mask")


@contextmanager
def left_out_of_the_loss(batch: KVBatchMeta, limit: int, stops: frozenset[int], metrics: dict) -> Iterator[None]:
    """Take truncated responses out of the masks while the actor is updated; the record sees them as they are.

    Where every response is truncated there is nothing to average over: the advantages are zero instead.

    Args:
        batch: Rows in TransferQueue.
        limit: Tokens at which generation stops.
        stops: Tokens that end a response by itself.
        metrics: Gets ``overlong/left_out``, the share of responses.
    """
    fields = ("responses", *MASKS, "advantages")
    stored = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=list(fields))
    cut = truncated(stored["responses"], limit, stops)
    metrics["overlong/left_out"] = cut.float().mean().item()
    names = ("advantages",) if cut.all() else MASKS
    originals = TensorDict({name: stored[name] for name in names}, batch_size=len(batch))
    changed = TensorDict({name: without_rows(stored[name], cut) for name in names}, batch_size=len(batch))
    if not cut.any():
        yield
        return
    tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=changed)
    try:
        yield
    finally:
        tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=originals)


def truncated(responses: torch.Tensor, limit: int, stops: frozenset[int]) -> torch.Tensor:
    """(rows,), whether a response has as many tokens as it may and does not end by itself.

    Args:
        responses: Nested, (rows, tokens of each).
        limit: Most tokens.
        stops: Tokens that end a response.
    """
    return torch.tensor([len(row) >= limit and int(row[-1]) not in stops for row in responses.unbind()])


def without_rows(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """A nested tensor with zeros in these rows."""
    parts = [torch.zeros_like(part) if gone else part for part, gone in zip(values.unbind(), rows, strict=True)]
    return torch.nested.as_nested_tensor(parts, layout=torch.jagged)


def stop_tokens(model_path: str, tokenizer: Any) -> frozenset[int]:
    """The tokenizer's end token and those of the model's generation configuration."""
    found = {tokenizer.eos_token_id}
    with suppress(OSError):  # the file is optional
        from transformers import GenerationConfig

        ends = GenerationConfig.from_pretrained(model_path).eos_token_id
        found |= set(ends if isinstance(ends, list) else [ends])
    return frozenset(token for token in found if token is not None)
