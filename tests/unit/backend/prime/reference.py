"""Slow float64 references of the pieces of PRIME (2502.01456), with explicit loops, written from its formulas.

`mask` is (N, T) of zeros and ones; a response token is a position where it is 1. A mask may have holes (the tokens of a
tool's answer) anywhere: a hole is no response token, and what stands where the mask is 0 (NaN included) is never read.
Log-probabilities and token rewards are (N, T), labels, outcomes and scores (N,), `groups` names the group of each row.

- q_t = log pi_phi(y_t) - log pi_ref(y_t) at response tokens, pi_phi being the implicit reward model.
- The last response token of a row is the last position where its mask is 1.
- A row without a response token is padding: it belongs to no group and counts in no mean. The two accuracies have no
  mask: every row they get is real.
- A mean over nothing (no real row, no group) raises ValueError.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Hashable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

spec = importlib.util.spec_from_file_location(
    "advantage_reference", Path(__file__).parents[2] / "advantages" / "reference.py"
)
shared = importlib.util.module_from_spec(spec)
spec.loader.exec_module(shared)

Array = NDArray[np.float64]
Result = tuple[Array, Array]

NORMALISATION_EPSILON = 1e-6


# --- The shared pieces ------------------------------------------------------------------------------------------------


def response_positions(mask: ArrayLike) -> list[list[int]]:
    """Return the positions of the response tokens of each row, left to right; an empty list is a padding row."""
    mask_NT = np.asarray(mask)
    if mask_NT.ndim != 2:
        raise ValueError(f"the mask must be (N, T), not {mask_NT.shape}")
    positions = []
    for row in mask_NT:
        of_row = []
        for t, value in enumerate(row):
            if value not in (0, 1):
                raise ValueError(f"a mask is of zeros and ones, not {row.tolist()}")
            if value == 1:
                of_row.append(t)
        positions.append(of_row)
    return positions


def group_members(mask: ArrayLike, groups: Sequence[Hashable]) -> list[list[int]]:
    """Return the rows of each group in row order, padding rows left out."""
    positions = response_positions(mask)
    if len(groups) != len(positions):
        raise ValueError(f"{len(groups)} group ids for {len(positions)} rows")
    members: dict[Hashable, list[int]] = {}
    for i, of_row in enumerate(positions):
        if of_row:
            members.setdefault(groups[i], []).append(i)
    return list(members.values())


def log_ratios(log_probs: ArrayLike, ref_log_probs: ArrayLike, mask: ArrayLike) -> Array:
    """Return q_t = log pi_phi - log pi_ref at the response tokens and 0 elsewhere."""
    log_probs_NT, ref_log_probs_NT = shared.token_array(log_probs, mask), shared.token_array(ref_log_probs, mask)
    result = np.zeros(log_probs_NT.shape, dtype=np.float64)
    for i, positions in enumerate(response_positions(mask)):
        for t in positions:
            result[i, t] = log_probs_NT[i, t] - ref_log_probs_NT[i, t]
    return result


def sums_to_go(values: ArrayLike, mask: ArrayLike) -> Array:
    """Return, at each response token t, the sum of the values of the row's response tokens s >= t; 0 elsewhere."""
    values_NT = shared.token_array(values, mask)
    result = np.zeros(values_NT.shape, dtype=np.float64)
    for i, positions in enumerate(response_positions(mask)):
        for t in positions:
            result[i, t] = math.fsum(float(values_NT[i, s]) for s in positions if s >= t)
    return result


def whiten(values: ArrayLike, mask: ArrayLike) -> Array:
    """Return (x - mean) / sqrt(var + 1e-8) over the batch's response tokens; a single token only loses its mean."""
    values_NT = shared.token_array(values, mask)
    all_positions = response_positions(mask)
    tokens = []
    for i, positions in enumerate(all_positions):
        for t in positions:
            tokens.append(float(values_NT[i, t]))  # noqa: PERF401 - the loop is the formula
    result = np.zeros(values_NT.shape, dtype=np.float64)
    if not tokens:
        return result
    mean = shared.mean_of(tokens)
    scale = math.sqrt(shared.variance_of(tokens) + shared.WHITENING_EPSILON) if len(tokens) > 1 else 1.0
    for i, positions in enumerate(all_positions):
        for t in positions:
            result[i, t] = (values_NT[i, t] - mean) / scale
    return result


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), without an overflow on either side."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


def log_sigmoid(x: float) -> float:
    """Return log(1 / (1 + exp(-x))), without an overflow on either side."""
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


# --- The implicit reward model ----------------------------------------------------------------------------------------


def process_rewards(
    log_probs: ArrayLike, ref_log_probs: ArrayLike, mask: ArrayLike, beta: float, normalise: bool
) -> Array:
    """The implicit process rewards: r_t = beta * q_t, but 0 at the last response token of each row.

    With `normalise` the batch is divided by (max over rows and positions of |sum_{s>=t} r_s|) + 1e-6.
    """
    ratios = log_ratios(log_probs, ref_log_probs, mask)
    all_positions = response_positions(mask)
    result = np.zeros(ratios.shape, dtype=np.float64)
    for i, positions in enumerate(all_positions):
        for t in positions[:-1]:
            result[i, t] = beta * ratios[i, t]
    if not normalise:
        return result
    sums = sums_to_go(result, mask)
    largest = 0.0
    for i, positions in enumerate(all_positions):
        for t in positions:
            largest = max(largest, abs(float(sums[i, t])))
    for i, positions in enumerate(all_positions):
        for t in positions:
            result[i, t] /= largest + NORMALISATION_EPSILON
    return result


def outcome_logits(log_probs: ArrayLike, ref_log_probs: ArrayLike, mask: ArrayLike, beta: float) -> list[float]:
    """Return beta * sum_t q_t of each row, over all its response tokens, the last one too; 0 for a padding row."""
    ratios = log_ratios(log_probs, ref_log_probs, mask)
    logits = []
    for i, positions in enumerate(response_positions(mask)):
        total = 0.0
        for t in positions:
            total += float(ratios[i, t])
        logits.append(beta * total)
    return logits


def real_rows(mask: ArrayLike, labels: Array) -> list[int]:
    """Return the rows with a response token, after checking that there are some and that their labels are in [0, 1]."""
    rows = [i for i, positions in enumerate(response_positions(mask)) if positions]
    if not rows:
        raise ValueError("every row is padding: there is no mean over the responses")
    for i in rows:
        if not 0 <= labels[i] <= 1:
            raise ValueError(f"a label is in [0, 1], not {labels[i]}")
    return rows


def outcome_loss(
    log_probs: ArrayLike, ref_log_probs: ArrayLike, mask: ArrayLike, labels: ArrayLike, beta: float
) -> float:
    """The reward model's loss: mean over responses of -l * log p - (1 - l) * log(1 - p), p = sigmoid(beta * sum q)."""
    labels_N = shared.row_array(labels, mask)
    logits = outcome_logits(log_probs, ref_log_probs, mask, beta)
    losses = []
    for i in real_rows(mask, labels_N):
        label = float(labels_N[i])
        losses.append(-label * log_sigmoid(logits[i]) - (1.0 - label) * log_sigmoid(-logits[i]))
    return shared.mean_of(losses)


def outcome_loss_gradient(
    log_probs: ArrayLike, ref_log_probs: ArrayLike, mask: ArrayLike, labels: ArrayLike, beta: float
) -> Array:
    """The derivative of `outcome_loss` by each log-probability: beta * (p_i - l_i) / (number of responses); (N, T)."""
    labels_N = shared.row_array(labels, mask)
    logits = outcome_logits(log_probs, ref_log_probs, mask, beta)
    all_positions = response_positions(mask)
    rows = real_rows(mask, labels_N)
    result = np.zeros(np.shape(mask), dtype=np.float64)
    for i in rows:
        for t in all_positions[i]:
            result[i, t] = beta * (sigmoid(logits[i]) - float(labels_N[i])) / len(rows)
    return result


# --- The advantages ---------------------------------------------------------------------------------------------------


def advantages(
    process_rewards: ArrayLike,
    outcome: ArrayLike,
    mask: ArrayLike,
    groups: Sequence[Hashable],
    process_coefficient: float,
    outcome_coefficient: float,
    kl_penalty: ArrayLike | None = None,
) -> Result:
    """PRIME's advantages and returns: leave-one-out process and outcome rewards, summed to go, then whitened.

    In a group of K responses, with m_j the mean of r_j over the response tokens of row j:

    - process part, at each response token: r_it * K / (K - 1) - sum_j(m_j) / (K - 1);
    - outcome part, at the last response token: o_i * K / (K - 1) - sum_j(o_j) / (K - 1).

    A group of one has no baseline: r_it and o_i. Each part is multiplied by its coefficient, the two are added, and
    `kl_penalty` is added as it is (its sign is the caller's). The returns are the sums over the response tokens s >= t.
    """
    rewards_NT, outcome_N = shared.token_array(process_rewards, mask), shared.row_array(outcome, mask)
    all_positions = response_positions(mask)
    token_rewards = np.zeros(rewards_NT.shape, dtype=np.float64)
    for rows in group_members(mask, groups):
        size = len(rows)
        scale, process_baseline, outcome_baseline = 1.0, 0.0, 0.0
        if size > 1:
            means = [shared.mean_of([float(rewards_NT[j, t]) for t in all_positions[j]]) for j in rows]
            scale = size / (size - 1)
            process_baseline = math.fsum(means) / (size - 1)
            outcome_baseline = math.fsum(float(outcome_N[j]) for j in rows) / (size - 1)
        for i in rows:
            for t in all_positions[i]:
                token_rewards[i, t] = process_coefficient * (rewards_NT[i, t] * scale - process_baseline)
            last = all_positions[i][-1]
            token_rewards[i, last] += outcome_coefficient * (outcome_N[i] * scale - outcome_baseline)
    if kl_penalty is not None:
        kl_penalty_NT = shared.token_array(kl_penalty, mask)
        for i, positions in enumerate(all_positions):
            for t in positions:
                token_rewards[i, t] += kl_penalty_NT[i, t]
    returns = sums_to_go(token_rewards, mask)
    return whiten(returns, mask), returns


# --- How good the reward model is -------------------------------------------------------------------------------------


def score_label_pairs(scores: ArrayLike, labels: ArrayLike) -> list[tuple[float, float]]:
    """Return the (score, label) of each row, after checking that there are as many of the one as of the other."""
    scores_N, labels_N = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if scores_N.ndim != 1 or scores_N.shape != labels_N.shape:
        raise ValueError(f"scores {scores_N.shape} and labels {labels_N.shape}: both must be (N,)")
    return [(float(score), float(label)) for score, label in zip(scores_N, labels_N, strict=True)]


def pair_accuracy(scores: ArrayLike, labels: ArrayLike, groups: Sequence[Hashable]) -> float:
    """Mean over the groups of the share of its pairs that the scores order as the labels do, weighted by |l_a - l_b|.

    A pair (a, b), a before b, agrees when (s_a > s_b) == (l_a > l_b): of two equal scores the later row counts as the
    better one. Pairs with equal labels weigh nothing; a group without any other pair counts 0.5.
    """
    rows = score_label_pairs(scores, labels)
    if len(groups) != len(rows):
        raise ValueError(f"{len(groups)} group ids for {len(rows)} rows")
    members: dict[Hashable, list[tuple[float, float]]] = {}
    for group, row in zip(groups, rows, strict=True):
        members.setdefault(group, []).append(row)
    if not members:
        raise ValueError("no rows: there is no mean over the groups")
    shares = []
    for of_group in members.values():
        agreeing, total = 0.0, 0.0
        for a, (score_a, label_a) in enumerate(of_group):
            for score_b, label_b in of_group[a + 1 :]:
                weight = abs(label_a - label_b)
                total += weight
                if (score_a > score_b) == (label_a > label_b):
                    agreeing += weight
        shares.append(agreeing / total if total > 0 else 0.5)
    return shared.mean_of(shares)


def sign_accuracy(scores: ArrayLike, labels: ArrayLike) -> float:
    """The share of the rows whose score has the sign (-1, 0 or 1) of 2 * label - 1."""
    rows = score_label_pairs(scores, labels)
    if not rows:
        raise ValueError("no rows: there is no mean over them")
    agreeing = 0
    for score, label in rows:
        centred = 2.0 * label - 1.0
        if (score > 0) - (score < 0) == (centred > 0) - (centred < 0):
            agreeing += 1
    return agreeing / len(rows)
