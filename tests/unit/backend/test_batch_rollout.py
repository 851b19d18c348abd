"""The parts of a batch rollout that need no cluster: how a batch is split, seeded and packed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tensordict import NonTensorData, NonTensorStack, TensorDict

from harness.backend.batch_rollout import BatchRolloutManager, _split
from harness.backend.trajectories import prompt_rows, ragged_fields


def manager(seed: int = 5) -> BatchRolloutManager:
    made = BatchRolloutManager.__new__(BatchRolloutManager)
    made.rollout = SimpleNamespace(seed=seed)
    return made


@pytest.mark.parametrize(("items", "parts", "multiple"), [(12, 3, 4), (12, 5, 4), (7, 2, 1), (0, 2, 1), (8, 1, 8)])
def test_parts_are_contiguous_whole_groups(items: int, parts: int, multiple: int) -> None:
    split = _split(range(items), parts, multiple)
    assert [item for part in split for item in part] == list(range(items))
    assert len(split) == parts
    assert all(len(part) % multiple == 0 for part in split)
    sizes = [len(part) // multiple for part in split]
    assert max(sizes) - min(sizes) <= 1


def test_seeds_follow_seed_step_split_and_place_only() -> None:
    whole = manager()._seeds(False, step=3, first=0, prompts=6, n=2)
    assert len(set(whole.tolist())) == 12
    # a refill of two prompts after four gets what it would have got in one batch of six
    refill = manager()._seeds(False, step=3, first=4, prompts=2, n=2)
    np.testing.assert_array_equal(refill, whole[8:])
    for other in (
        manager(6)._seeds(False, 3, 0, 6, 2),
        manager()._seeds(True, 3, 0, 6, 2),
        manager()._seeds(False, 4, 0, 6, 2),
    ):
        assert not set(other.tolist()) & set(whole.tolist())
    assert whole.dtype == np.uint64
    assert int(whole.max()) < 2**63, "a server's seed is a signed number"


def test_rows_and_fields_round_trip() -> None:
    batch = TensorDict(
        {
            "uid": NonTensorStack("a", "b"),
            "global_steps": NonTensorData(4, batch_size=[2]),
            "index": torch.tensor([7, 8]),
        },
        batch_size=[2],
    )
    rows = prompt_rows(batch)
    assert [(row["uid"], row["global_steps"], int(row["index"])) for row in rows] == [("a", 4, 7), ("b", 4, 8)]
    packed = ragged_fields([{"ids": torch.arange(2), "uid": "a"}, {"ids": torch.arange(3), "uid": "b"}])
    assert packed["ids"].offsets().diff().tolist() == [2, 3]
    assert packed["uid"] == ["a", "b"]
