"""Slow float64 references of Reward-SQL's advantages, with explicit loops, written from their formulas."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Sequence

import numpy as np


def members(groups: Sequence[Hashable]) -> list[list[int]]:
    return [[row for row, of in enumerate(groups) if of == group] for group in dict.fromkeys(groups)]


def z_scores(values: list[float], epsilon: float) -> list[float]:
    """0 for one alone."""
    if len(values) == 1:
        return [0.0]
    mean, std = statistics.fmean(values), statistics.stdev(values)
    return [(value - mean) / (std + epsilon) for value in values]


def weighted_grpo(rewards, mask, groups, weight_factor=0.5, epsilon=1e-6):
    result = np.zeros_like(rewards)
    for rows in members(groups):
        scores = [float(rewards[row].sum()) for row in rows]
        spread = max(scores) - min(scores)
        for row, score, z in zip(rows, scores, z_scores(scores, epsilon), strict=True):
            share = (score - min(scores)) / spread if spread else None
            weight = 1.0 if share is None else weight_factor + (1 - weight_factor) * share
            result[row] = z * weight * mask[row]
    return result


def average_unique(rewards, mask, groups, epsilon=1e-6):
    result = np.zeros_like(rewards)
    for rows in members(groups):
        inside = [[float(r) for r, m in zip(rewards[row], mask[row], strict=True) if m] for row in rows]
        different = [{value for value in values if value != 0} for values in inside]
        means = [sum(values) / len(values) if values else 0.0 for values in different]
        for row, z in zip(rows, z_scores(means, epsilon), strict=True):
            for t in range(rewards.shape[1]):
                r = rewards[row, t]
                if not mask[row, t] or r == 0:
                    continue
                if z > 0:
                    result[row, t] = (r - 1) * z if r > 1 else r * z
                else:
                    result[row, t] = (1 - r) * z
    return result


def token_wise(rewards, mask, groups, epsilon=1e-6):
    result = np.zeros_like(rewards)
    for rows in members(groups):
        for t in range(rewards.shape[1]):
            there = [row for row in rows if mask[row, t]]
            if there:
                values = z_scores([float(rewards[row, t]) for row in there], epsilon)
                for row, value in zip(there, values, strict=True):
                    result[row, t] = value
    return result
