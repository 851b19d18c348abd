"""GMPO's loss against the paper's formula in float64, and its gradient against finite differences."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.policy_losses.gmpo import gmpo


def batch(seed: int = 0, rows: int = 6, width: int = 7):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, width + 1, rows)
    mask = (np.arange(width) < lengths[:, None]).astype(float)
    old = rng.normal(-2, 0.5, mask.shape)
    new = old + rng.normal(0, 0.5, mask.shape)  # many ratios outside the clip
    return old, new, np.repeat(rng.normal(size=(rows, 1)), width, axis=1), mask


def paper(old, new, advantages, mask, low: float, high: float) -> float:
    """Equation 4, response by response: the pessimistic side of each token's clipped ratio, then the geometric mean."""
    total = 0.0
    for row in range(len(mask)):
        product, length, advantage = 1.0, int(mask[row].sum()), advantages[row, 0]
        for token in range(length):
            ratio = np.exp(new[row, token] - old[row, token])
            clipped = min(max(ratio, np.exp(-low)), np.exp(high))
            product *= min(ratio, clipped) if advantage > 0 else max(ratio, clipped)
        total += product ** (1 / length) * advantage
    return -total / len(mask)


def tensors(parts):
    return [torch.tensor(part, dtype=torch.float64) for part in parts]


@pytest.mark.parametrize("seed", range(5))
def test_the_paper(seed: int) -> None:
    old, new, advantages, mask = batch(seed)
    loss, metrics = gmpo(*tensors((old, new, advantages, mask)), clip_low=0.4, clip_high=0.3)
    assert loss.item() == pytest.approx(paper(old, new, advantages, mask, 0.4, 0.3), rel=1e-6)
    assert metrics["actor/pg_clipfrac"] + metrics["actor/pg_clipfrac_lower"] > 0


def test_micro_batches_add_up_to_the_mini_batch() -> None:
    parts = tensors(batch())
    config = SimpleNamespace(global_batch_info={"global_batch_size": 6, "dp_size": 1})
    whole = gmpo(*parts, config=config)[0]
    halves = sum(gmpo(*(part[rows] for part in parts), config=config)[0] for rows in (slice(0, 2), slice(2, 6)))
    assert halves.item() == pytest.approx(whole.item())
    assert whole.item() == pytest.approx(gmpo(*parts)[0].item())


def test_the_gradient() -> None:
    old, new, advantages, mask = tensors(batch(3))
    new.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: gmpo(old, x, advantages, mask)[0], (new,))


def test_a_row_without_tokens_counts_for_nothing() -> None:
    old, new, advantages, mask = tensors(batch())
    mask[2] = 0
    loss, _ = gmpo(old, new, advantages, mask)
    kept = [0, 1, 3, 4, 5]
    assert loss.item() == pytest.approx(gmpo(old[kept], new[kept], advantages[kept], mask[kept])[0].item() * 5 / 6)
