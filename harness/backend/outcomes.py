"""How right the responses of a batch are, and the choice among its prompts."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
import transfer_queue as tq
from transfer_queue import KVBatchMeta

from harness.backend.columns import read_columns, select_rows
from harness.errors import ConfigurationError


def rows_by_prompt(batch: KVBatchMeta) -> dict[str, list[int]]:
    """Each prompt's id and its rows, in the order in which the prompts were made: their ids are counted."""
    rows: dict[str, list[int]] = {}
    for row, key in enumerate(batch.keys):
        rows.setdefault(key.rsplit("_", 2)[0], []).append(row)
    return dict(sorted(rows.items()))


def keep_prompts(batch: KVBatchMeta, uids: Collection[str]) -> KVBatchMeta:
    """The rows of these prompts in the batch's order; the others are cleared from TransferQueue."""
    wanted = set(uids)
    chosen = [row for row, key in enumerate(batch.keys) if key.rsplit("_", 2)[0] in wanted]
    gone = sorted(set(range(len(batch))) - set(chosen))
    if gone:
        tq.kv_clear(partition_id=batch.partition_id, keys=[batch.keys[row] for row in gone])
    return select_rows(batch, chosen)


def outcome_labels(batch: KVBatchMeta) -> torch.Tensor:
    """(rows,), how right each response is: the reward manager's ``acc``, else the reward itself.

    Raises:
        ConfigurationError: A label is no number from 0 to 1.
    """
    columns = read_columns(batch, "rm_scores", "extra_fields")
    notes = [(extra or {}).get("reward_extra_info") or {} for extra in columns["extra_fields"]]
    return checked_labels(notes, columns["rm_scores"].sum(dim=1))


def checked_labels(notes: list[dict[str, Any]], rewards: torch.Tensor) -> torch.Tensor:
    """``acc`` of each row's notes, else its reward."""
    labels = torch.tensor(
        [float(note.get("acc", reward)) for note, reward in zip(notes, rewards.tolist(), strict=True)]
    )
    outside = labels[~((labels >= 0) & (labels <= 1))]
    if len(outside):
        raise ConfigurationError(
            f"reward_fn: this algorithm needs outcomes between 0 (wrong) and 1 (right); a response got {outside[0]:g}.",
            "Choose a reward function with such scores, or let it return {'score': …, 'acc': 0…1}.",
        )
    return labels
