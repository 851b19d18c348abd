"""A batch's columns in TransferQueue: ragged tensors padded, objects as arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from tensordict import NonTensorData, TensorDict
from transfer_queue import KVBatchMeta
from verl.utils import tensordict_utils as tu
from verl.workers.utils.padding import response_to_nested


def read_columns(batch: KVBatchMeta, *names: str) -> dict[str, Any]:
    """Tensors padded to (rows, response length), objects as arrays of (rows,); all columns where none is named."""
    stored = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=list(names) or None)
    objects = {
        name: objects_of(stored.pop(name).tolist())
        for name in list(stored.keys())
        if not isinstance(stored.get(name), torch.Tensor)
    }
    return {**dict(stored.to_padded_tensor().items()), **objects}


def write_response_columns(batch: KVBatchMeta, columns: dict[str, torch.Tensor]) -> KVBatchMeta:
    """Store (rows, response length) tensors ragged, as long as each row's response."""
    mask = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["response_mask"])
    nested = {name: response_to_nested(tensor, mask["response_mask"]) for name, tensor in columns.items()}
    return write_columns(batch, nested)


def write_columns(batch: KVBatchMeta, columns: dict[str, Any]) -> KVBatchMeta:
    """Store columns with one entry a row."""
    fields = TensorDict(columns, batch_size=len(batch))
    return tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)


def select_rows(batch: KVBatchMeta, rows: list[int]) -> KVBatchMeta:
    """Some of a batch's rows."""
    keys, tags = [batch.keys[row] for row in rows], [batch.tags[row] for row in rows]
    return KVBatchMeta(partition_id=batch.partition_id, keys=keys, tags=tags)


def replace_objects(batch: TensorDict, name: str, values: list[Any]) -> TensorDict:
    """Give a batch other objects in one of its columns."""
    batch.pop(name)
    batch.update(tu.get_tensordict({name: objects_of(values)}))
    return batch


def objects_of(values: list[Any]) -> np.ndarray:
    """(rows,) objects, out of their wrappers."""
    array = np.empty(len(values), dtype=object)
    array[:] = [value.data if isinstance(value, NonTensorData) else value for value in values]
    return array
