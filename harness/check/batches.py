"""Batch arithmetic: what has to divide what, with the nearest values that do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.check.problem import Problem

if TYPE_CHECKING:
    from omegaconf import DictConfig

MINI = "actor_rollout_ref.actor.ppo_mini_batch_size"


def batch_problems(config: DictConfig) -> Iterator[Problem]:
    """Mini- and micro-batches that cannot be made of the responses of a step."""
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    workers = config.trainer.n_gpus_per_node * config.trainer.nnodes
    mini, batch, n = actor.ppo_mini_batch_size, config.data.train_batch_size, rollout.n
    if not all(isinstance(number, int) and number > 0 for number in (workers, n, mini, batch)):
        return
    if mini > batch:
        yield Problem(
            "batch",
            MINI,
            f"actor_rollout_ref.actor.ppo_mini_batch_size={mini} is larger than data.train_batch_size={batch}.",
            f"Use at most {batch}.",
            mini,
        )
    elif mini * n % workers:
        yield Problem(
            "batch",
            MINI,
            f"actor_rollout_ref.actor.ppo_mini_batch_size={mini} × actor_rollout_ref.rollout.n={n} responses "
            f"do not divide among {workers} workers.",
            f"Use a multiple of {workers}.",
            mini,
        )
    elif not actor.use_dynamic_bsz:
        share = mini * n // workers
        yield from _micro_batch(
            "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu", actor.ppo_micro_batch_size_per_gpu, share
        )
        name = "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu"
        yield from _micro_batch(name, rollout.log_prob_micro_batch_size_per_gpu, share)


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
