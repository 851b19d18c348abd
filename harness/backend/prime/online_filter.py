"""PRIME's online filter: of the prompts generated, those the policy solves sometimes are trained on first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
import transfer_queue as tq
from annotated_types import Interval
from transfer_queue import KVBatchMeta

from harness.backend.outcomes import keep_prompts, outcome_labels, rows_by_prompt
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

    min_accuracy: Annotated[float, Interval(ge=0, le=1)] = 0.2
    max_accuracy: Annotated[float, Interval(ge=0, le=1)] = 0.8
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
        labels, cut = outcome_labels(batch), self._truncated(batch, limit, stops)
        rows = rows_by_prompt(batch)
        passing = {
            uid: self.min_accuracy <= float(labels[places].mean()) <= self.max_accuracy and not bool(cut[places].any())
            for uid, places in rows.items()
        }
        kept = sorted(rows, key=lambda uid: not passing[uid])[:prompts]  # stable: the order of the prompts stays
        metrics = {
            "prime/acc_before_filter": float(labels.mean()),
            "prime/prompts_passing": sum(passing.values()) / len(passing),
        }
        return keep_prompts(batch, kept), metrics

    def _truncated(self, batch: KVBatchMeta, limit: int, stops: frozenset[int]) -> torch.Tensor:
        if not self.drop_truncated:
            return torch.zeros(len(batch), dtype=torch.bool)
        stored = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["responses"])
        return truncated(stored["responses"], limit, stops)
