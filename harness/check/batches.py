"""Batch arithmetic: what has to divide what, with the nearest values that do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.arithmetic import gpus, model_parallel_keys, nearest, product
from harness.check.problem import Problem
from harness.check.values import lookup

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
MINI = f"{ACTOR}.ppo_mini_batch_size"


def batch_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Mini- and micro-batches that cannot be made of the responses of a step."""
    batch, n, mini = (lookup(tree, key) for key in ("data.train_batch_size", f"{ROLLOUT}.n", MINI))
    if not all(isinstance(number, int) and number > 0 for number in (n, mini, batch)):
        return
    yield from _critic(tree, batch, n)
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


def _critic(tree: Mapping[str, Any], batch: int, n: int) -> Iterator[Problem]:
    """The critic's own mini- and micro-batches, where there is a critic; its sizes follow the actor's by default."""
    mini, key = lookup(tree, "critic.ppo_mini_batch_size"), "critic.ppo_mini_batch_size"
    if not lookup(tree, "critic.enable") or not isinstance(mini, int) or mini < 1:
        return
    if mini > batch:
        message = f"{key}={mini} is larger than data.train_batch_size={batch}."
        yield Problem("batch", key, message, f"Use at most {batch}.", mini)
        return
    size = lookup(tree, "critic.ulysses_sequence_parallel_size")
    workers = max(1, gpus(tree) // (size if isinstance(size, int) and size > 0 else 1))
    if mini * n % workers:
        message = f"{key}={mini} × {ROLLOUT}.n={n} responses do not divide among {workers} workers."
        yield Problem("batch", key, message, f"Use a multiple of {workers // math.gcd(workers, n)}.", mini)
    elif not lookup(tree, "critic.use_dynamic_bsz"):
        micro = "critic.ppo_micro_batch_size_per_gpu"
        yield from _micro_batch(micro, lookup(tree, micro), mini * n // workers)


def _switch(key: str) -> str:
    return "critic.use_dynamic_bsz" if key.startswith("critic.") else f"{ACTOR}.use_dynamic_bsz"


def _micro_batch(key: str, value: Any, share: int) -> Iterator[Problem]:
    """verl splits a worker's share of a mini-batch into equal micro-batches, without a rest."""
    if value is None:
        yield Problem(
            "batch",
            key,
            f"{key}: a number is needed, or {_switch(key)}=true.",
            f"Use {share} or a divisor of it.",
        )
    elif isinstance(value, int) and (value < 1 or share % value):
        divisors = [number for number in range(1, share + 1) if share % number == 0]
        yield Problem(
            "batch",
            key,
            f"{key}={value} does not divide a worker's {share} responses a mini-batch.",
            f"Use {nearest(value, divisors)}.",
            value,
        )
