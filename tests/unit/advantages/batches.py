"""Batches for the tests of advantages: ragged, in groups of unequal size, padded, permuted."""

from __future__ import annotations

import numpy as np

CASES = (
    "ragged groups",
    "groups of one",
    "all scores equal",
    "padding rows",
    "one token",
    "permuted rows",
    "token rewards",
    "wide",
    "groups without a signal",
)


def make(case: str) -> dict:
    """A batch of a case.

    Returns:
        ``rewards``, ``mask``, ``values``, ``process`` (process rewards): (N, T), float64; ``greedy`` (the score of a
        greedy response to each row's prompt), ``second`` (each row's score by a second reward function): (N,);
        ``groups``: N ids. Rows that pad a batch have an empty mask.
    """
    rng = np.random.default_rng(CASES.index(case))
    sizes = [1] * 6 if case == "groups of one" else [3, 5, 2, 4, 2]
    width = {"one token": 1, "wide": 200}.get(case, 9)
    groups = [f"prompt {number}" for number, size in enumerate(sizes) for _ in range(size)]
    lengths = rng.integers(1, width + 1, len(groups))
    mask = (np.arange(width) < lengths[:, None]).astype(float)
    rewards = np.zeros_like(mask)
    if case in ("token rewards", "wide"):
        rewards = rng.normal(size=mask.shape).clip(0) * mask
    else:
        scores = np.full(len(groups), 0.5) if case == "all scores equal" else rng.integers(0, 3, len(groups)) / 2
        if case == "groups without a signal":  # one all right, one all wrong
            scores[: sizes[0]], scores[sizes[0] : sizes[0] + sizes[1]] = 1.0, 0.0
        rewards[np.arange(len(groups)), lengths - 1] = scores
    values = rng.normal(size=mask.shape) * mask
    if case == "padding rows":
        rewards, mask, values = (np.concatenate([part, np.zeros((3, width))]) for part in (rewards, mask, values))
        groups += ["padding", "padding", "padding alone"]
    if case == "permuted rows":
        order = rng.permutation(len(groups))
        rewards, mask, values, groups = rewards[order], mask[order], values[order], [groups[i] for i in order]
    greedy = dict(zip(dict.fromkeys(groups), rng.integers(0, 3, len(groups)) / 2, strict=False))
    return {
        "rewards": rewards,
        "mask": mask,
        "values": values,
        "groups": groups,
        "greedy": np.array([greedy[group] for group in groups]),
        "process": rng.normal(size=mask.shape) * mask,
        "second": rng.integers(0, 3, len(groups)) / 2,
    }
