"""Batch arithmetic: what has to divide what, with the nearest values that do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.arithmetic import gpus, model_parallel_keys, product
from harness.check.problem import Problem
from harness.check.values import lookup

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
MINI = f"{ACTOR}.ppo_mini_batch_size"


def batch_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Mini- and micro-batches that cannot be made of the responses of a step."""
    batch, n, mini = (lookup(tree, key) for key in ("data.train_batch_size", f"{ROLLOUT}.n", MINI))
    if not all(isinstance(number, int) and number > 0 for number in (n, mini, batch)):
        return
    workers = max(1, gpus(tree) // product(tree, model_parallel_keys(tree)))
    if mini > batch:
        message = f"{MINI}={mini} is larger than data.train_batch_size={batch}."
        yield Problem("batch", MINI, message, f"Use at most {batch}.", mini)
    elif mini * n % workers:
        step = workers // math.gcd(workers, n)
        message = f"{MINI}={mini} × {ROLLOUT}.n={n} responses do not divide among {workers} workers."
        yield Problem("batch", MINI, message, f"Use a multiple of {step}.", mini)
    elif not lookup(tree, f"{ACTOR}.use_dynamic_bsz"):
        for key in (f"{ACTOR}.ppo_micro_batch_size_per_gpu", f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu"):
            yield from _micro_batch(key, lookup(tree, key), mini * n // workers)


def _micro_batch(key: str, value: Any, share: int) -> Iterator[Problem]:
    """verl splits a worker's share of a mini-batch into equal micro-batches, without a rest."""
    if value is None:
        yield Problem(
            "batch",
            key,
            f"{key}: a number is needed, or actor_rollout_ref.actor.use_dynamic_bsz=true.",
            f"Use {share} or a divisor of it.",
        )
    elif isinstance(value, int) and (value < 1 or share % value):
        divisors = [number for number in range(1, share + 1) if share % number == 0]
        below = max((number for number in divisors if number < value), default=divisors[0])
        above = min((number for number in divisors if number > value), default=divisors[-1])
        nearest = " or ".join(str(number) for number in dict.fromkeys((below, above)))
        yield Problem(
            "batch",
            key,
            f"{key}={value} does not divide a worker's {share} responses a mini-batch.",
            f"Use {nearest}.",
            value,
        )
