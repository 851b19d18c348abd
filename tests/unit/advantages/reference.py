"""Slow float64 references of the advantage estimators, with explicit loops, written from the papers' formulas.

`rewards` is (N, T), `mask` is (N, T) of zeros and ones, `groups` names the group of each of the N rows. Every function
returns (advantages, returns), both (N, T) and zero where the mask is 0. S_i is the sum of the rewards of response i
where its mask is 1; what stands where the mask is 0 (NaN included) is never read.

- The ones of a row lie at its left end; a mask with a hole in it raises ValueError.
- A row whose mask is all zero is padding, not a response: it counts in no group's mean, standard deviation or size.
- Standard deviations and variances are unbiased (divided by n - 1).
- Whitening is (A - mean) / sqrt(var + 1e-8) over all tokens of the batch where the mask is 1. A single such token has
  no unbiased variance: it only has its mean subtracted, which makes it 0.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Result = tuple[Array, Array]

WHITENING_EPSILON = 1e-8


# --- The shared pieces ------------------------------------------------------------------------------------------------


def response_lengths(mask: ArrayLike) -> list[int]:
    """Return the number of tokens of each row; 0 is a padding row."""
    mask_NT = np.asarray(mask)
    if mask_NT.ndim != 2:
        raise ValueError(f"the mask must be (N, T), not {mask_NT.shape}")
    lengths = []
    for row in mask_NT:
        length = 0
        while length < len(row) and row[length] == 1:
            length += 1
        for value in row[length:]:
            if value != 0:
                raise ValueError(f"a mask is ones from the left, then zeros, not {row.tolist()}")
        lengths.append(length)
    return lengths


def token_array(values: ArrayLike, mask: ArrayLike) -> Array:
    """Return the values of each token in float64, after checking that they have the mask's shape."""
    values_NT = np.asarray(values, dtype=np.float64)
    if values_NT.shape != np.shape(mask):
        raise ValueError(f"shape {values_NT.shape}, but the mask has {np.shape(mask)}")
    return values_NT


def row_array(values: ArrayLike, mask: ArrayLike) -> Array:
    """Return the values of each row in float64, after checking that there is one a row."""
    values_N = np.asarray(values, dtype=np.float64)
    if values_N.shape != (len(np.asarray(mask)),):
        raise ValueError(f"shape {values_N.shape}, but the mask has {np.shape(mask)}")
    return values_N


def response_scores(rewards: ArrayLike, mask: ArrayLike) -> list[float]:
    """Return S_i, the sum of the token rewards of each row where the mask is 1."""
    rewards_NT = token_array(rewards, mask)
    scores = []
    for i, length in enumerate(response_lengths(mask)):
        score = 0.0
        for t in range(length):
            score += float(rewards_NT[i, t])
        scores.append(score)
    return scores


def group_members(mask: ArrayLike, groups: Sequence[Hashable]) -> list[list[int]]:
    """Return the rows of each group in row order, padding rows left out."""
    lengths = response_lengths(mask)
    if len(groups) != len(lengths):
        raise ValueError(f"{len(groups)} group ids for {len(lengths)} rows")
    members: dict[Hashable, list[int]] = {}
    for i, length in enumerate(lengths):
        if length > 0:
            members.setdefault(groups[i], []).append(i)
    return list(members.values())


def mean_of(values: Sequence[float]) -> float:
    """Return the mean."""
    return math.fsum(values) / len(values)


def variance_of(values: Sequence[float]) -> float:
    """Return the unbiased variance of at least two values."""
    mean = mean_of(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def on_tokens(per_row: Sequence[float], mask: ArrayLike) -> Array:
    """Return the (N, T) array that has a row's value at each of its tokens and 0 elsewhere."""
    result = np.zeros(np.shape(mask), dtype=np.float64)
    for i, length in enumerate(response_lengths(mask)):
        for t in range(length):
            result[i, t] = per_row[i]
    return result


def same(advantages: Array) -> Result:
    """Return the advantages and, as the returns, a copy of them."""
    return advantages, advantages.copy()


def whiten(advantages: Array, mask: ArrayLike) -> Array:
    """Return (A - mean) / sqrt(var + 1e-8) over the batch's tokens; a single token only loses its mean."""
    lengths = response_lengths(mask)
    tokens = []
    for i, length in enumerate(lengths):
        for t in range(length):
            tokens.append(float(advantages[i, t]))  # noqa: PERF401 - the loop is the formula
    result = np.zeros(np.shape(mask), dtype=np.float64)
    if not tokens:
        return result
    mean = mean_of(tokens)
    scale = math.sqrt(variance_of(tokens) + WHITENING_EPSILON) if len(tokens) > 1 else 1.0
    for i, length in enumerate(lengths):
        for t in range(length):
            result[i, t] = (advantages[i, t] - mean) / scale
    return result


def discounted_rewards_to_go(rewards: ArrayLike, mask: ArrayLike, gamma: float) -> Array:
    """Return G_t = r_t + gamma * G_{t+1}, with G = 0 after the last token of the response."""
    rewards_NT = token_array(rewards, mask)
    result = np.zeros(rewards_NT.shape, dtype=np.float64)
    for i, length in enumerate(response_lengths(mask)):
        following = 0.0
        for t in reversed(range(length)):
            following = float(rewards_NT[i, t]) + gamma * following
            result[i, t] = following
    return result


def normalised_in_group(
    scores: Sequence[float], members: Sequence[Sequence[int]], normalise_by_std: bool, epsilon: float
) -> list[float]:
    """Return (S_i - mean_g) / (std_g + epsilon) for each row, without the division on request; alone: mean 0, std 1."""
    result = [0.0] * len(scores)
    for rows in members:
        if len(rows) == 1:
            mean, std = 0.0, 1.0
        else:
            group_scores = [scores[i] for i in rows]
            mean, std = mean_of(group_scores), math.sqrt(variance_of(group_scores))
        for i in rows:
            result[i] = scores[i] - mean
            if normalise_by_std:
                result[i] /= std + epsilon
    return result


# --- One advantage a response -----------------------------------------------------------------------------------------


def grpo(
    rewards: ArrayLike,
    mask: ArrayLike,
    groups: Sequence[Hashable],
    normalise_by_std: bool = True,
    epsilon: float = 1e-6,
) -> Result:
    """GRPO (2402.03300): A = (S_i - mean_g) / (std_g + epsilon); Dr.GRPO (2503.20783) leaves the division out.

    A group of one has mean 0 and std 1.
    """
    scores = response_scores(rewards, mask)
    advantages = normalised_in_group(scores, group_members(mask, groups), normalise_by_std, epsilon)
    return same(on_tokens(advantages, mask))


def rloo(rewards: ArrayLike, mask: ArrayLike, groups: Sequence[Hashable]) -> Result:
    """RLOO (2402.14740): A = S_i - mean of the other responses' S in the group; a group of one: S_i."""
    scores = response_scores(rewards, mask)
    advantages = [0.0] * len(scores)
    for rows in group_members(mask, groups):
        for i in rows:
            others = [scores[j] for j in rows if j != i]
            advantages[i] = scores[i] - (mean_of(others) if others else 0.0)
    return same(on_tokens(advantages, mask))


def opo(rewards: ArrayLike, mask: ArrayLike, groups: Sequence[Hashable]) -> Result:
    """OPO (2505.23585): A = S_i - sum_j(len_j * S_j) / sum_j(len_j) over the group; a group of one: S_i.

    A group without any token has only padding rows: 0.
    """
    scores, lengths = response_scores(rewards, mask), response_lengths(mask)
    advantages = [0.0] * len(scores)
    for rows in group_members(mask, groups):
        baseline = 0.0
        if len(rows) > 1:
            baseline = math.fsum(lengths[j] * scores[j] for j in rows) / sum(lengths[j] for j in rows)
        for i in rows:
            advantages[i] = scores[i] - baseline
    return same(on_tokens(advantages, mask))


def gpg(rewards: ArrayLike, mask: ArrayLike, groups: Sequence[Hashable], f_norm: float = 1.0) -> Result:
    """GPG (2504.02546): A = alpha * (S_i - mean_g) / f_norm, alpha = N / (N - M).

    Of the N responses M are invalid: those of groups that are all right or all wrong, whose S_i - mean_g is 0. A group
    of one has mean 0, so that it is invalid where S_i is. Without a valid response all advantages are 0.
    """
    scores = response_scores(rewards, mask)
    members = group_members(mask, groups)
    responses, invalid = 0, 0
    for rows in members:
        responses += len(rows)
        first = scores[rows[0]] if len(rows) > 1 else 0.0
        if all(scores[i] == first for i in rows):
            invalid += len(rows)
    alpha = responses / max(responses - invalid, 1)
    advantages = [0.0] * len(scores)
    for rows in members:
        mean = mean_of([scores[i] for i in rows]) if len(rows) > 1 else 0.0
        for i in rows:
            advantages[i] = alpha * (scores[i] - mean) / f_norm
    return same(on_tokens(advantages, mask))


def max_rl(rewards: ArrayLike, mask: ArrayLike, groups: Sequence[Hashable], epsilon: float = 1e-6) -> Result:
    """MaxRL (2602.02710): A = (S_i - mean_g) / (mean_g + epsilon), 0 where mean_g is 0; a group of one: 0.

    A negative S_i raises ValueError.
    """
    scores = response_scores(rewards, mask)
    for score in scores:
        if score < 0:
            raise ValueError(f"MaxRL needs scores that are not negative, not {score}")
    advantages = [0.0] * len(scores)
    for rows in group_members(mask, groups):
        mean = mean_of([scores[i] for i in rows])
        if len(rows) == 1 or mean == 0:
            continue
        for i in rows:
            advantages[i] = (scores[i] - mean) / (mean + epsilon)
    return same(on_tokens(advantages, mask))


def grpo_passk(
    rewards: ArrayLike,
    mask: ArrayLike,
    groups: Sequence[Hashable],
    normalise_by_std: bool = True,
    epsilon: float = 1e-6,
) -> Result:
    """Pass@k (2503.19595): A = (best - second best) / (std_g + epsilon) for the best of each group, 0 for the others.

    The division is left out without `normalise_by_std`. Of equally good responses the first is the best one, and the
    second best is as good: 0. A group with one response raises ValueError.
    """
    scores = response_scores(rewards, mask)
    advantages = [0.0] * len(scores)
    for rows in group_members(mask, groups):
        if len(rows) == 1:
            raise ValueError("pass@k needs at least two responses in each group")
        best = rows[0]
        for i in rows:
            if scores[i] > scores[best]:
                best = i
        second_score = max(scores[i] for i in rows if i != best)
        advantages[best] = scores[best] - second_score
        if normalise_by_std:
            advantages[best] /= math.sqrt(variance_of([scores[i] for i in rows])) + epsilon
    return same(on_tokens(advantages, mask))


# --- One advantage a token, or whitened over the batch ----------------------------------------------------------------


def gae(rewards: ArrayLike, values: ArrayLike, mask: ArrayLike, gamma: float, lam: float) -> Result:
    """GAE (1506.02438): delta_t = r_t + gamma * V_{t+1} - V_t, A_t = delta_t + gamma * lam * A_{t+1}.

    V and A are 0 after the last token of the response. The returns are A + V; then the advantages are whitened.
    """
    rewards_NT, values_NT = token_array(rewards, mask), token_array(values, mask)
    advantages = np.zeros(rewards_NT.shape, dtype=np.float64)
    returns = np.zeros(rewards_NT.shape, dtype=np.float64)
    for i, length in enumerate(response_lengths(mask)):
        next_value, next_advantage = 0.0, 0.0
        for t in reversed(range(length)):
            value = float(values_NT[i, t])
            delta = float(rewards_NT[i, t]) + gamma * next_value - value
            advantage = delta + gamma * lam * next_advantage
            advantages[i, t] = advantage
            returns[i, t] = advantage + value
            next_value, next_advantage = value, advantage
    return whiten(advantages, mask), returns


def reinforce_plus_plus(rewards: ArrayLike, mask: ArrayLike, gamma: float) -> Result:
    """REINFORCE++ (2501.03262): returns_t = r_t + gamma * returns_{t+1}, 0 after the end; A = whitened returns."""
    returns = discounted_rewards_to_go(rewards, mask, gamma)
    return whiten(returns, mask), returns


def reinforce_plus_plus_baseline(rewards: ArrayLike, mask: ArrayLike, groups: Sequence[Hashable]) -> Result:
    """REINFORCE++ with a baseline (2501.03262): S_i - mean_g at each token, whitened; a group of one has mean 0."""
    scores = response_scores(rewards, mask)
    centred = normalised_in_group(scores, group_members(mask, groups), normalise_by_std=False, epsilon=0.0)
    return same(whiten(on_tokens(centred, mask), mask))


def remax(rewards: ArrayLike, mask: ArrayLike, baselines: ArrayLike) -> Result:
    """ReMax (2310.10505): A_t = sum of r from t to the end - the score b_i of the prompt's greedy response.

    The returns are the sums.
    """
    baselines_N = row_array(baselines, mask)
    returns = discounted_rewards_to_go(rewards, mask, gamma=1.0)
    advantages = np.zeros(returns.shape, dtype=np.float64)
    for i, length in enumerate(response_lengths(mask)):
        for t in range(length):
            advantages[i, t] = returns[i, t] - baselines_N[i]
    return advantages, returns


def gdpo(
    components: Mapping[str, ArrayLike],
    weights: Mapping[str, float],
    mask: ArrayLike,
    groups: Sequence[Hashable],
    epsilon: float = 1e-6,
) -> Result:
    """GDPO (2601.05242): A = sum_k w_k * (S_ik - mean_gk) / (std_gk + epsilon), then whitened over the batch.

    `components` has the (N,) scores of each reward k. A group of one has mean 0 and std 1, as in `grpo`.
    """
    if set(components) != set(weights):
        raise ValueError(f"components {sorted(components)}, but weights {sorted(weights)}")
    members = group_members(mask, groups)
    totals = [0.0] * len(np.asarray(mask))
    for name, component in components.items():
        scores = [float(score) for score in row_array(component, mask)]
        normalised = normalised_in_group(scores, members, normalise_by_std=True, epsilon=epsilon)
        for i, value in enumerate(normalised):
            totals[i] += weights[name] * value
    return same(whiten(on_tokens(totals, mask), mask))
