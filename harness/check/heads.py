"""A model's attention heads and layers against the GPUs that share them: what cannot be divided stops the engines.

Two rules hold everywhere. Attention heads are divided evenly among the GPUs. Key-value heads are too, or, where they
are fewer than the GPUs, each is repeated on the same number of them. The reference's sizes follow the actor's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.arithmetic import gpus, model_parallel_keys, nearest, product
from harness.check.model_shape import ModelShape, described_model, model_shape
from harness.check.problem import Problem
from harness.check.training_memory import ACTOR, engine_section, is_megatron, number
from harness.check.values import lookup

_ROLLOUT = "actor_rollout_ref.rollout"
_SERVER_KEYS = [f"{_ROLLOUT}.{name}_parallel_size" for name in ("tensor_model", "data", "pipeline_model")]
# of Megatron's transformer configuration: stages that are not of equal size
_UNEVEN = ("num_layers_in_first_pipeline_stage", "num_layers_in_last_pipeline_stage", "pipeline_model_parallel_layout")
_COUNTED = ("account_for_embedding_in_pipeline_split", "account_for_loss_in_pipeline_split")
Tree = Mapping[str, Any]


def head_problems(tree: Tree) -> Iterator[Problem]:
    """Parallel sizes that the model cannot be divided by; nothing where the model's sizes are not known."""
    policy = described_model(tree)
    models = {ACTOR: policy}
    if lookup(tree, "critic.enable"):
        models["critic"] = str(lookup(tree, "critic.model.path") or policy)
    for section, path in models.items():
        if (shape := model_shape(path)) is None:
            continue
        if is_megatron(tree):
            yield from _megatron(tree, section, shape)
        elif lookup(tree, f"{section}.strategy") in ("fsdp", "fsdp2"):
            yield from _ulysses(tree, section, shape)
    if shape := model_shape(policy):
        yield from _server(tree, shape)


def _ulysses(tree: Tree, section: str, shape: ModelShape) -> Iterator[Problem]:
    # verl/models/transformers/monkey_patch.py, apply_monkey_patch, asserts both rules. The engine's own key counts; the
    # actor's takes its place where it is more than 1, the critic's never (verl/workers/config: actor.py, critic.py).
    key = f"{engine_section(tree, section)}.ulysses_sequence_parallel_size"
    if section == ACTOR and _size(tree, of_actor := f"{ACTOR}.ulysses_sequence_parallel_size") > 1:
        key = of_actor
    yield from _heads(tree, key, shape, [key])


def _megatron(tree: Tree, section: str, shape: ModelShape) -> Iterator[Problem]:
    # megatron/core/transformer/transformer_config.py, TransformerConfig.__post_init__: attention heads are a multiple
    # of the tensor-parallel size; key-value heads (num_query_groups) are so up to core_v0.15, and from core_v0.16 on a
    # multiple or a divisor of it.
    keys = [key.replace(ACTOR, section, 1) for key in model_parallel_keys(tree)]
    key, ranks = keys[0], _size(tree, keys[0])
    refused = list(_heads(tree, key, shape, keys))
    yield from refused
    if not refused and shape.kv_heads % ranks:
        allowed = [size for size in _allowed(tree, key, shape, keys) if shape.kv_heads % size == 0]
        yield Problem(
            "parallelism", key,
            f"{key}={ranks} is more than the model's {shape.kv_heads} key-value heads, "
            "which Megatron-Core before 0.16 refuses.",
            f"Use {nearest(ranks, allowed)}, or Megatron-Core 0.16 or newer.", ranks, warning=True,
        )  # fmt: skip
    yield from _layers(tree, section, shape, keys)


def _layers(tree: Tree, section: str, shape: ModelShape, keys: list[str]) -> Iterator[Problem]:
    # megatron/core/transformer/transformer_block.py, get_num_layers_to_build: stages of equal size, unless the first's,
    # the last's or all are given; the embedding and the loss count as layers where the configuration says so.
    key, changed = keys[1], lookup(tree, f"{section}.megatron.override_transformer_config")
    changed = changed if isinstance(changed, Mapping) else {}
    stages = _size(tree, key)
    parts = shape.layers + sum(bool(changed.get(name)) for name in _COUNTED)
    if any(changed.get(name) is not None for name in _UNEVEN) or parts % stages == 0:
        return
    allowed = _on_the_gpus(tree, key, keys, [size for size in range(1, parts + 1) if parts % size == 0])
    counted = " (embedding and loss counted as configured)" if parts > shape.layers else ""
    yield Problem(
        "parallelism", key,
        f"{key}={stages}: the model's {parts} layers{counted} do not divide among {stages} stages.",
        f"Use {nearest(stages, allowed)}, or give {_UNEVEN[0]} in {section}.megatron.override_transformer_config.",
        stages,
    )  # fmt: skip


def _server(tree: Tree, shape: ModelShape) -> Iterator[Problem]:
    # vLLM: vllm/config/model.py, ModelConfig.verify_with_parallel_config, for attention heads; for key-value heads the
    # models themselves (vllm/model_executor/models/{qwen2,qwen3,llama}.py). SGLang's models (sglang/srt/models) assert
    # the same of the GPUs that share attention: all, unless it runs attention data-parallel.
    server = lookup(tree, f"{_ROLLOUT}.name")
    apart = lookup(tree, f"{_ROLLOUT}.engine_kwargs.sglang.enable_dp_attention")
    if server == "vllm" or (server == "sglang" and not apart):
        yield from _heads(tree, _SERVER_KEYS[0], shape, _SERVER_KEYS)


def _heads(tree: Tree, key: str, shape: ModelShape, keys: list[str]) -> Iterator[Problem]:
    """Both rules for one size, where keys together say how many GPUs have one copy of the model."""
    size = _size(tree, key)
    if _divide(shape, size):
        return
    what = f"{shape.heads} attention heads do not divide among {size} GPUs"
    if shape.heads % size == 0:
        what = f"{shape.kv_heads} key-value heads neither divide among {size} GPUs nor go into {size}"
    remedy = f"Use {nearest(size, _allowed(tree, key, shape, keys))}."
    yield Problem("parallelism", key, f"{key}={size}: the model's {what}.", remedy, size)


def _divide(shape: ModelShape, size: int) -> bool:
    return shape.heads % size == 0 and (shape.kv_heads % size == 0 or size % shape.kv_heads == 0)


def _allowed(tree: Tree, key: str, shape: ModelShape, keys: list[str]) -> list[int]:
    return _on_the_gpus(tree, key, keys, [size for size in range(1, shape.heads + 1) if _divide(shape, size)])


def _on_the_gpus(tree: Tree, key: str, keys: list[str], sizes: list[int]) -> list[int]:
    """Those sizes that the training's GPUs can be divided by as well; all of them where none is."""
    others = product(tree, [other for other in keys if other != key])
    return [size for size in sizes if gpus(tree) % (size * others) == 0] or sizes


def _size(tree: Tree, key: str) -> int:
    """A size, 1 where it is none, which is told elsewhere."""
    size = int(number(tree, key, 1))
    return size if size > 0 else 1
