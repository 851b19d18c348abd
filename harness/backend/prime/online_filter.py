"""PRIME's online filter: of the prompts generated, those the policy solves sometimes are trained on first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import transfer_queue as tq
from transfer_queue import KVBatchMeta

from harness.backend.columns import read_columns, select_rows
from harness.backend.overlong import truncated
from harness.errors import ConfigurationError


@dataclass(frozen=True)
class OnlineFilter:
    """Which prompts pass.

    Args:
        min_accuracy: Least mean label of a prompt's responses.
        max_accuracy: Most.
        drop_truncated: Whether a response cut off at the limit fails its prompt.
    """

    min_accuracy: float = 0.2
    max_accuracy: float = 0.8
    drop_truncated: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.min_accuracy <= self.max_accuracy <= 1:
            raise ConfigurationError(
                f"algorithm_steps.filter: min_accuracy={self.min_accuracy} and max_accuracy={self.max_accuracy} are no "
                "range of accuracies.",
                "Choose 0 ≤ min_accuracy ≤ max_accuracy ≤ 1.",
            )

    def keep(
        self, batch: KVBatchMeta, prompts: int, limit: int, stops: frozenset[int]
    ) -> tuple[KVBatchMeta, dict[str, float]]:
        """Keep this many prompts, those that pass first, each in the order they were made; clear the others.

        Args:
            batch: All responses.
            prompts: How many prompts stay.
            limit: Tokens at which generation stops.
            stops: Tokens that end a response.
        """
        labels = outcome_labels(batch)
        cut = self._truncated(batch, limit, stops)
        rows: dict[str, list[int]] = {}
        for row, key in enumerate(batch.keys):
            rows.setdefault(key.rsplit("_", 2)[0], []).append(row)
        passing = {
            uid: self.min_accuracy <= float(labels[places].mean()) <= self.max_accuracy and not bool(cut[places].any())
            for uid, places in rows.items()
        }
        kept = sorted(rows, key=lambda uid: not passing[uid])[:prompts]  # stable: the order of the prompts stays
        chosen = sorted(row for uid in kept for row in rows[uid])
        left = sorted(set(range(len(batch))) - set(chosen))
        if left:
            tq.kv_clear(partition_id=batch.partition_id, keys=[batch.keys[row] for row in left])
        metrics = {
            "prime/acc_before_filter": float(labels.mean()),
            "prime/prompts_passing": sum(map(bool, passing.values())) / len(passing),
        }
        return select_rows(batch, chosen), metrics

    def _truncated(self, batch: KVBatchMeta, limit: int, stops: frozenset[int]) -> torch.Tensor:
        if not self.drop_truncated:
            return torch.zeros(len(batch), dtype=torch.bool)
        stored = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["responses"])
        return truncated(stored["responses"], limit, stops)


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
            f"reward_fn: PRIME learns from outcomes between 0 (wrong) and 1 (right); a response got {outside[0]:g}.",
            "Choose a reward function with such scores, or let it return {'score': …, 'acc': 0…1}.",
        )
    return labels
