"""Slow float64 references of the policy losses, with explicit loops, written from the papers' formulas.

`old`, `new`, `advantages` and `mask` are (N, T): the log-probability of each token under the policy that was sampled
from (mu) and under the one that is trained (pi), A_it, and zeros and ones. r_it = pi_it / mu_it = exp(new - old).

A loss is an (N, T) array of l_it, to be minimised: minus what the paper maximises, 0 where the mask is 0. What stands
there is never read. A loss of whole responses stands at each token of its response. An aggregation makes one number of
the array.

sg(x) is x as a constant, without a gradient. Losses that have one take it from `at`, (N, T), which are the
log-probabilities where the gradient is wanted; without `at` they are `new` itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def rows_of_tokens(mask: ArrayLike) -> list[list[int]]:
    """Return the positions of the tokens of each row; a row without any is padding."""
    rows = []
    for row in np.asarray(mask):
        rows.append([t for t, value in enumerate(row) if value == 1])  # noqa: PERF401 - the loop is the formula
    return rows


def tokens(mask: ArrayLike) -> Iterator[tuple[int, int]]:
    """Yield (i, t) of every token, row by row."""
    for i, row in enumerate(rows_of_tokens(mask)):
        for t in row:
            yield i, t


def clip(value: float, low: float, high: float) -> float:
    """Return the nearest number in [low, high]."""
    return min(max(value, low), high)


# --- Aggregations -----------------------------------------------------------------------------------------------------


def token_mean(losses: Array, mask: ArrayLike) -> float:
    """Return sum_i sum_t l_it / sum_i |o_i|, the mean over all tokens of the batch."""
    values = [float(losses[i, t]) for i, t in tokens(mask)]
    return math.fsum(values) / len(values)


def prompt_mean_of_token_means(losses: Array, mask: ArrayLike, groups: Sequence[Hashable]) -> float:
    """Return the mean over prompts of sum_i sum_t l_it / sum_i |o_i| over the responses i of the prompt."""
    of_prompt: dict[Hashable, list[float]] = {}
    for i, t in tokens(mask):
        of_prompt.setdefault(groups[i], []).append(float(losses[i, t]))
    return math.fsum(math.fsum(values) / len(values) for values in of_prompt.values()) / len(of_prompt)


def response_mean(losses: Array, mask: ArrayLike) -> float:
    """Return (1/N) sum_i (1/|o_i|) sum_t l_it over the N rows that are no padding."""
    means = [math.fsum(losses[i, t] for t in row) / len(row) for i, row in enumerate(rows_of_tokens(mask)) if row]
    return math.fsum(means) / len(means)


def response_sum(losses: Array, mask: ArrayLike, constant: float) -> float:
    """Return (1/N) sum_i sum_t l_it / constant over the N rows that are no padding: Dr.GRPO (2503.20783)."""
    sums = [math.fsum(losses[i, t] for t in row) / constant for i, row in enumerate(rows_of_tokens(mask)) if row]
    return math.fsum(sums) / len(sums)


# --- Losses of tokens -------------------------------------------------------------------------------------------------


def ppo(
    old: Array, new: Array, advantages: Array, mask: ArrayLike, low: float, high: float, dual: float = math.inf
) -> Array:
    """PPO (1707.06347): J = min(r A, clip(r, 1 - low, 1 + high) A); dual clip (1912.09729): max(J, dual A) if A < 0.

    DAPO (2503.14476) sets high > low ("clip-higher").
    """
    losses = np.zeros(np.shape(mask))
    for i, t in tokens(mask):
        ratio, advantage = math.exp(new[i, t] - old[i, t]), advantages[i, t]
        objective = min(ratio * advantage, clip(ratio, 1 - low, 1 + high) * advantage)
        if advantage < 0:
            objective = max(objective, dual * advantage)
        losses[i, t] = -objective
    return losses


def cispo(
    old: Array, new: Array, advantages: Array, mask: ArrayLike, low: float, high: float, at: Array | None = None
) -> Array:
    """CISPO (2506.13585): J = sg(clip(r, 1 - low, 1 + high)) A log pi."""
    here, losses = new if at is None else at, np.zeros(np.shape(mask))
    for i, t in tokens(mask):
        weight = clip(math.exp(here[i, t] - old[i, t]), 1 - low, 1 + high)
        losses[i, t] = -weight * advantages[i, t] * new[i, t]
    return losses


def gpg(old: Array, new: Array, advantages: Array, mask: ArrayLike) -> Array:
    """GPG (2504.02546): J = A log pi; no ratio, so that `old` is not read."""
    losses = np.zeros(np.shape(mask))
    for i, t in tokens(mask):
        losses[i, t] = -advantages[i, t] * new[i, t]
    return losses


def sapo(old: Array, new: Array, advantages: Array, mask: ArrayLike, tau_pos: float, tau_neg: float) -> Array:
    """SAPO (2511.20347): J = (4 / tau) sigmoid(tau (r - 1)) A, tau = tau_pos where A > 0, else tau_neg."""
    losses = np.zeros(np.shape(mask))
    for i, t in tokens(mask):
        tau = tau_pos if advantages[i, t] > 0 else tau_neg
        gate = 4 / tau / (1 + math.exp(-tau * (math.exp(new[i, t] - old[i, t]) - 1)))
        losses[i, t] = -gate * advantages[i, t]
    return losses


def dppo_mask(old: float, new: float, advantage: float, delta: float, divergence: str) -> int:
    """DPPO (2602.04879): 0 where A > 0 and r > 1, or A < 0 and r < 1, and D(mu || pi) > delta; else 1.

    D is between the Bernoulli distributions of "this token or another". TV: |mu - pi|. KL: mu log(mu / pi) +
    (1 - mu) log((1 - mu) / (1 - pi)).
    """
    mu, pi = math.exp(old), math.exp(new)
    away = (advantage > 0 and pi > mu) or (advantage < 0 and pi < mu)
    total_variation, kl = abs(mu - pi), mu * math.log(mu / pi) + (1 - mu) * math.log((1 - mu) / (1 - pi))
    return 0 if away and {"TV": total_variation, "KL": kl}[divergence] > delta else 1


def dppo(
    old: Array, new: Array, advantages: Array, mask: ArrayLike, delta: float, divergence: str, at: Array | None = None
) -> Array:
    """DPPO (2602.04879): J = sg(M) r A, with M of `dppo_mask`."""
    here, losses = new if at is None else at, np.zeros(np.shape(mask))
    for i, t in tokens(mask):
        kept = dppo_mask(old[i, t], here[i, t], advantages[i, t], delta, divergence)
        losses[i, t] = -kept * math.exp(new[i, t] - old[i, t]) * advantages[i, t]
    return losses


def dppo_log(
    old: Array,
    new: Array,
    advantages: Array,
    mask: ArrayLike,
    delta: float,
    divergence: str,
    cap: float = math.inf,
    at: Array | None = None,
) -> Array:
    """Return DPPO's policy gradient as a loss: J = sg(M min(r, cap)) A log pi; the gradient of `dppo` where r < cap."""
    here, losses = new if at is None else at, np.zeros(np.shape(mask))
    for i, t in tokens(mask):
        kept = dppo_mask(old[i, t], here[i, t], advantages[i, t], delta, divergence)
        weight = kept * min(math.exp(here[i, t] - old[i, t]), cap)
        losses[i, t] = -weight * advantages[i, t] * new[i, t]
    return losses


# --- Losses that choose tokens by their covariance --------------------------------------------------------------------


def covariances(log_probs: Array, advantages: Array, mask: ArrayLike) -> dict[tuple[int, int], float]:
    """Return Cov_it = (log pi_it - mean log pi) (A_it - mean A), the means over all tokens of the batch: 2505.22617."""
    places = list(tokens(mask))
    mean_log_prob = math.fsum(log_probs[place] for place in places) / len(places)
    mean_advantage = math.fsum(advantages[place] for place in places) / len(places)
    return {place: (log_probs[place] - mean_log_prob) * (advantages[place] - mean_advantage) for place in places}


def clip_cov(
    old: Array,
    new: Array,
    advantages: Array,
    mask: ArrayLike,
    count: int,
    lower: float,
    upper: float,
    low: float,
    high: float,
    draw: Callable[[int], Sequence[int]],
    spare_clipped: bool = False,
    at: Array | None = None,
) -> Array:
    """Clip-Cov (2505.22617): PPO's loss, but 0 on `count` random tokens with lower < Cov < upper; paper: floor(r N) of N.

    `draw(m)` returns the numbers 0 … m - 1 in random order: the first `count` of the m candidates, row by row, are
    chosen. With `spare_clipped`, tokens on which PPO's clip acts are no candidates.
    """
    here, losses = new if at is None else at, ppo(old, new, advantages, mask, low, high)
    candidates = []
    for place, covariance in covariances(here, advantages, mask).items():
        ratio, advantage = math.exp(here[place] - old[place]), advantages[place]
        clipped = clip(ratio, 1 - low, 1 + high) * advantage < ratio * advantage
        if lower < covariance < upper and not (spare_clipped and clipped):
            candidates.append(place)
    for number in list(draw(len(candidates)))[:count]:
        losses[candidates[number]] = 0
    return losses


def kl_cov(
    old: Array, new: Array, advantages: Array, mask: ArrayLike, count: int, beta: float, at: Array | None = None
) -> Array:
    """KL-Cov (2505.22617): J = r A, less beta |log r| on the `count` tokens with the highest Cov; paper: floor(k N) of N.

    |log r| is the penalty of the paper's listing; its equation has KL(mu || pi), of which -log r is an estimate.
    """
    covariance = covariances(new if at is None else at, advantages, mask)
    chosen = sorted(covariance, key=lambda place: -covariance[place])[:count]
    losses = np.zeros(np.shape(mask))
    for place in covariance:
        log_ratio = new[place] - old[place]
        losses[place] = -math.exp(log_ratio) * advantages[place] + (beta * abs(log_ratio) if place in chosen else 0)
    return losses


# --- Losses of responses ----------------------------------------------------------------------------------------------


def gspo(old: Array, new: Array, advantages: Array, mask: ArrayLike, low: float, high: float) -> Array:
    """GSPO (2507.18071): J_i = min(s_i A, clip(s_i, 1 - low, 1 + high) A), s_i = exp(mean_t log r_it)."""
    losses = np.zeros(np.shape(mask))
    for i, row in enumerate(rows_of_tokens(mask)):
        for t in row:
            ratio = math.exp(math.fsum(new[i, u] - old[i, u] for u in row) / len(row))
            losses[i, t] = -min(ratio * advantages[i, t], clip(ratio, 1 - low, 1 + high) * advantages[i, t])
    return losses


def gmpo(old: Array, new: Array, advantages: Array, mask: ArrayLike, low: float, high: float) -> Array:
    """GMPO (2507.20673): J_i = A_i (prod_t c_it)^(1/|o_i|), c = min(r, clip(r, e^-low, e^high)) if A_i > 0, else max."""
    losses = np.zeros(np.shape(mask))
    for i, row in enumerate(rows_of_tokens(mask)):
        product = 1.0
        for t in row:
            ratio = math.exp(new[i, t] - old[i, t])
            pessimistic = min if advantages[i, t] > 0 else max
            product *= pessimistic(ratio, clip(ratio, math.exp(-low), math.exp(high)))
        for t in row:
            losses[i, t] = -advantages[i, t] * product ** (1 / len(row))
    return losses
