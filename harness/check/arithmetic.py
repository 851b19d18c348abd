"""Sizes that have to fit each other: parallelism and GPUs, lengths and the model's positions, steps and the data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.check.data_files import parquet_rows
from harness.check.model_shape import described_model, model_positions
from harness.check.problem import Problem
from harness.check.values import lookup

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
Tree = Mapping[str, Any]


def arithmetic_problems(tree: Tree) -> Iterator[Problem]:
    """Every such pair that does not fit; batches are `harness.check.batches`'s."""
    yield from _parallel(tree)
    yield from _lengths(tree)
    yield from _steps(tree)


def gpus(tree: Tree) -> int:
    """Accelerator slots of a training."""
    return _count(tree, "trainer.n_gpus_per_node") * _count(tree, "trainer.nnodes")


def model_parallel_keys(tree: Tree) -> list[str]:
    """Keys whose product is the number of GPUs that share one copy of the actor."""
    if lookup(tree, f"{_ACTOR}.strategy") == "megatron":
        names = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "context_parallel_size")
        return [f"{_ACTOR}.megatron.{name}" for name in names]
    return [f"{_ACTOR}.ulysses_sequence_parallel_size"]


def product(tree: Tree, keys: list[str]) -> int:
    """The product of the keys' values; what is no count is 1, and told elsewhere."""
    return math.prod(_count(tree, key) for key in keys)


def nearest(value: int, allowed: Sequence[int]) -> str:
    """The allowed values next to one that is not, as ``2 or 4``; of an ascending list that is not empty."""
    below = max((number for number in allowed if number < value), default=allowed[0])
    above = min((number for number in allowed if number > value), default=allowed[-1])
    return " or ".join(str(number) for number in dict.fromkeys((below, above)))


def _count(tree: Tree, key: str) -> int:
    value = lookup(tree, key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 1


def _parallel(tree: Tree) -> Iterator[Problem]:
    every = gpus(tree)
    groups = [("a copy of the actor", model_parallel_keys(tree))]
    if lookup(tree, f"{_ROLLOUT}.name") in ("vllm", "sglang", "trtllm"):
        sizes = ("tensor_model_parallel_size", "data_parallel_size", "pipeline_model_parallel_size")
        groups.append(("a generation server", [f"{_ROLLOUT}.{size}" for size in sizes]))
    for what, keys in groups:
        needed = product(tree, keys)
        if every % needed:
            shown = " × ".join(f"{key}={_count(tree, key)}" for key in keys if _count(tree, key) > 1)
            fitting = [number for number in range(1, every + 1) if every % number == 0]
            yield Problem(
                "parallelism", next(key for key in keys if _count(tree, key) > 1),
                f"{shown}: {what} takes {needed} GPUs, which do not divide the training's {every}.",
                f"Make it one of {', '.join(map(str, fitting))}, or use a multiple of {needed} GPUs.", needed,
            )  # fmt: skip


def _lengths(tree: Tree) -> Iterator[Problem]:
    prompt, response = (_count(tree, f"data.max_{part}_length") for part in ("prompt", "response"))
    limit = lookup(tree, f"{_ROLLOUT}.max_model_len")
    if isinstance(limit, int) and 0 < limit < prompt + response:
        yield Problem(
            "length", f"{_ROLLOUT}.max_model_len",
            f"{_ROLLOUT}.max_model_len={limit} is less than data.max_prompt_length={prompt} + "
            f"data.max_response_length={response}: long responses would be cut.",
            f"Use at least {prompt + response}, or null.", limit,
        )  # fmt: skip
    given = lookup(tree, "actor_rollout_ref.model.override_config.max_position_embeddings")
    positions = given if isinstance(given, int) else model_positions(described_model(tree))
    if positions and prompt + response > positions:
        yield Problem(
            "length", "data.max_response_length",
            f"data.max_prompt_length={prompt} + data.max_response_length={response} is more than the model's "
            f"{positions} positions.",
            f"Use a response limit of at most {max(positions - prompt, 1)}.", response,
        )  # fmt: skip
    yield from _token_budgets(tree, prompt + response)


def _token_budgets(tree: Tree, longest: int) -> Iterator[Problem]:
    """verl stops at a response that is longer than the tokens of a micro-batch, however late one comes."""
    share = _count(tree, model_parallel_keys(tree)[-1])  # GPUs that share a sequence
    budgets = [(f"{_ACTOR}.ppo_max_token_len_per_gpu", f"{_ACTOR}.use_dynamic_bsz"),
               (f"{_ROLLOUT}.log_prob_max_token_len_per_gpu", f"{_ROLLOUT}.log_prob_use_dynamic_bsz")]  # fmt: skip
    for key, switch in budgets:
        budget = lookup(tree, key)
        if lookup(tree, switch) and isinstance(budget, int) and 0 < budget * share < longest:
            yield Problem(
                "length", key,
                f"{key}={budget}{f' on {share} GPUs together' if share > 1 else ''} is less than a sequence can have: "
                f"data.max_prompt_length + data.max_response_length = {longest} tokens.",
                f"Use at least {math.ceil(longest / share)}.", budget,
            )  # fmt: skip


def _steps(tree: Tree) -> Iterator[Problem]:
    rows, batch = _rows(tree), _count(tree, "data.train_batch_size")
    if not rows:
        return
    if rows < batch:
        yield Problem(
            "data", "data.train_batch_size",
            f"data.train_batch_size={batch} is more than the {rows} prompts of data.train_files.",
            f"Use at most {rows}.", batch,
        )  # fmt: skip
        return
    each = max(1, rows // batch // _count(tree, "algorithm_steps.oversample"))
    epochs, total = _count(tree, "trainer.total_epochs"), lookup(tree, "trainer.total_training_steps")
    if isinstance(total, int) and total > each * epochs:
        yield Problem(
            "data", "trainer.total_training_steps",
            f"trainer.total_training_steps={total} is never reached: trainer.total_epochs={epochs} of {each} steps end "
            f"after {each * epochs}.",
            f"Set trainer.total_epochs={math.ceil(total / each)}.", total,
        )  # fmt: skip


def _rows(tree: Tree) -> int:
    """Prompts of the training data, 0 where that is not known yet."""
    files = lookup(tree, "data.train_files")
    files = files if isinstance(files, list) else [files]
    recipe = lookup(tree, "prepare.data") or {}
    if recipe and all(str(file).startswith(str(recipe.get("path"))) for file in files):
        rows = recipe.get("train_size")
        rows = rows if isinstance(rows, int) else 0
    else:
        rows = sum(parquet_rows(Path(str(file)).expanduser()) for file in files)
    most = lookup(tree, "data.train_max_samples")
    return min(rows, most) if isinstance(most, int) and most > 0 else rows
