"""ReMax's baseline where the greedy response itself could not be scored."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from transfer_queue import KVBatchMeta

from harness.advantages.remax import remax
from harness.advantages.rloo import rloo
from harness.backend import sampled
from harness.backend.greedy_baseline import greedy_columns
from harness.backend.sampled import SampledBatches
from harness.backend.steps import AlgorithmSteps
from harness.errors import ConfigurationError, TrainingError
from harness.reward_managers.spread import NOTE
from harness.scoring.failures import FAILED

KEYS = ["a_0_0", "b_0_0", "c_0_0"]


def test_the_columns_of_a_greedy_response() -> None:
    assert greedy_columns(0.5, {FAILED: 0.0}) == {"greedy_scores": 0.5, "greedy_failed": False}
    assert greedy_columns(0.0, {FAILED: 1.0})["greedy_failed"] is True
    assert greedy_columns(1.0, {}) == {"greedy_scores": 1.0, "greedy_failed": False}, (
        "a manager of verl's notes nothing"
    )
    with pytest.raises(ConfigurationError, match="rewards tokens or steps"):
        greedy_columns(1.0, {NOTE: {}})


def finished(
    monkeypatch: pytest.MonkeyPatch, drop: bool, greedy: list[bool], failed: list[float], function=remax
) -> tuple[list[str], dict[str, float]]:
    """The keys that stay of a step of three prompts, and the metrics."""
    batches = SampledBatches.__new__(SampledBatches)
    workers = SimpleNamespace(reward_loop_worker_handles=[])
    batches.trainer = SimpleNamespace(advantage_fn=function, steps=AlgorithmSteps(), reward_loop_manager=workers)
    batches.drop, batches.service = drop, None
    notes = [{FAILED: each} for each in failed]
    monkeypatch.setattr(batches, "_scored", lambda *_: (notes, torch.zeros(3)))
    monkeypatch.setattr(sampled, "read_columns", lambda batch, name: {name: greedy})
    monkeypatch.setattr("harness.backend.outcomes.tq.kv_clear", lambda **_: None)
    batch, metrics = batches.finish(KVBatchMeta(partition_id="train", keys=list(KEYS), tags=[{}] * 3), "train", 3)
    return batch.keys, metrics


def test_it_costs_its_group_where_failures_do(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, metrics = finished(monkeypatch, True, [False, True, False], [0.0, 0.0, 1.0])
    assert keys == ["a_0_0"]
    assert (metrics["scoring/greedy_failed_sum"], metrics["scoring/failed_sum"]) == (1.0, 1.0)


def test_else_it_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, metrics = finished(monkeypatch, False, [False, True, True], [0.0, 0.0, 1.0])
    assert keys == KEYS
    assert metrics["scoring/greedy_failed_sum"] == 2.0


def test_other_algorithms_have_no_greedy_response(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, metrics = finished(monkeypatch, True, [True, True, True], [0.0, 0.0, 1.0], function=rloo)
    assert keys == KEYS[:2]
    assert "scoring/greedy_failed_sum" not in metrics
    assert finished(monkeypatch, True, [], [0.0, 0.0, 0.0], function=None)[0] == KEYS


def test_a_step_without_any_group_left_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match="every group of this step"):
        finished(monkeypatch, True, [True, True, True], [0.0, 0.0, 0.0])
