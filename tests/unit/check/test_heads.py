"""What shares a model's heads and layers among GPUs: each size that they cannot be divided by, with the nearest that fit."""

from __future__ import annotations

import copy
import functools
import json
from pathlib import Path
from typing import Any

import pytest

from harness.check.find import find_problems
from harness.check.heads import head_problems
from harness.check.problem import Problem
from harness.config.compose import compose_config, resolved_tree
from harness.models.sizes import PUBLISHED

A, R, CRITIC = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "critic"
MODEL = "actor_rollout_ref.model.path"
SERVED, SHARED = f"{R}.tensor_model_parallel_size", f"{A}.ulysses_sequence_parallel_size"
OF_ENGINE = f"{A}.fsdp_config.ulysses_sequence_parallel_size"
TENSOR, STAGES = f"{A}.megatron.tensor_model_parallel_size", f"{A}.megatron.pipeline_model_parallel_size"
CHANGED = f"{A}.megatron.override_transformer_config"
UNEVEN = f", or give num_layers_in_first_pipeline_stage in {CHANGED}."
SMOLLM2_360M = "HuggingFaceTB/SmolLM2-360M-Instruct"  # 15 attention heads, 5 for keys and values
QWEN_0_5B, QWEN_3B, QWEN_7B, QWEN_32B = (
    f"Qwen/Qwen2.5-{size}B" for size in ("0.5", "3", "7", "32")
)  # 14/2, 16/2, 28/4, 40/8
QWEN3 = "Qwen/Qwen3-0.6B"  # 16/8


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the table of sizes tells: no model in the hub's cache."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)


@functools.cache
def composed(engine: str) -> dict[str, Any]:
    return resolved_tree(compose_config(["experiment=grpo_gsm8k", "machine=h100x8", f"engine={engine}"]))


def found(engine: str, model: str, changes: dict[str, Any]) -> list[Problem]:
    """What is found on eight GPUs, with an engine and vLLM, where these keys have other values."""
    tree = copy.deepcopy(composed(engine))
    for key, value in {MODEL: model, **changes}.items():
        *sections, name = key.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        node[name] = value
    return list(head_problems(tree))


def folder(place: Path, heads: int, kv_heads: int, layers: int = 4) -> str:
    """A model of these sizes."""
    place.mkdir()
    sizes = {"num_attention_heads": heads, "num_key_value_heads": kv_heads, "num_hidden_layers": layers}
    sizes |= {"hidden_size": 64 * heads, "intermediate_size": 256, "vocab_size": 1000}
    (place / "config.json").write_text(json.dumps(sizes))
    return str(place)


@pytest.mark.parametrize(
    ("engine", "model", "changes", "key", "what", "remedy"),
    [
        ("fsdp2", QWEN_7B, {SERVED: 8}, SERVED, "28 attention heads do not divide among 8 GPUs", "Use 4."),
        ("fsdp2", QWEN_7B, {SERVED: 8, f"{R}.name": "sglang"}, SERVED, "28 attention heads do not divide among 8 GPUs", "Use 4."),
        ("fsdp2", QWEN_7B, {SHARED: 8}, SHARED, "28 attention heads do not divide among 8 GPUs", "Use 4."),
        ("fsdp2", QWEN_7B, {OF_ENGINE: 8}, OF_ENGINE, "28 attention heads do not divide among 8 GPUs", "Use 4."),
        ("fsdp2", QWEN_7B, {SHARED: 3}, SHARED, "28 attention heads do not divide among 3 GPUs", "Use 2 or 4."),
        ("fsdp2", SMOLLM2_360M, {SERVED: 2}, SERVED, "15 attention heads do not divide among 2 GPUs", "Use 1."),
        ("fsdp2", SMOLLM2_360M, {SERVED: 2, "trainer.n_gpus_per_node": 30}, SERVED,
         "15 attention heads do not divide among 2 GPUs", "Use 1 or 5."),
        ("megatron", SMOLLM2_360M, {TENSOR: 2}, TENSOR, "15 attention heads do not divide among 2 GPUs", "Use 1."),
        ("megatron", QWEN_0_5B, {TENSOR: 4}, TENSOR, "14 attention heads do not divide among 4 GPUs", "Use 2."),
        ("megatron", QWEN_3B, {STAGES: 8}, STAGES, "36 layers do not divide among 8 stages", f"Use 4{UNEVEN}"),
        ("megatron", QWEN_3B, {STAGES: 8, TENSOR: 2}, STAGES, "36 layers do not divide among 8 stages", f"Use 4{UNEVEN}"),
    ],
)  # fmt: skip
def test_sizes_that_a_model_cannot_be_divided_by(
    engine: str, model: str, changes: dict[str, Any], key: str, what: str, remedy: str
) -> None:
    (problem,) = found(engine, model, changes)
    assert problem.message == f"{key}={changes[key]}: the model's {what}."
    assert (problem.code, problem.key, problem.value, problem.warning) == ("parallelism", key, changes[key], False)
    assert problem.remedy == remedy


@pytest.mark.parametrize(
    ("engine", "model", "changes"),
    [
        ("fsdp2", QWEN_7B, {SERVED: 4, SHARED: 4}),
        ("fsdp2", QWEN_3B, {SERVED: 8, SHARED: 8}),  # two key-value heads, each on four GPUs
        ("fsdp2", QWEN_7B, {SERVED: 8, f"{R}.name": "sglang", f"{R}.engine_kwargs.sglang.enable_dp_attention": True}),
        ("fsdp2", QWEN_7B, {SERVED: 8, f"{R}.name": "builtin"}),  # refuses more than one for its own reason
        ("fsdp2", "nobody/knows", {SERVED: 3, SHARED: 3}),
        ("fsdp2", QWEN_7B, {TENSOR: 8}),  # is read by Megatron alone
        ("megatron", QWEN_0_5B, {TENSOR: 2}),
        ("megatron", QWEN_32B, {TENSOR: 4, STAGES: 2}),
        ("megatron", QWEN_7B, {SHARED: 8}),  # is not read by Megatron
    ],
)
def test_sizes_that_it_can_be_divided_by(engine: str, model: str, changes: dict[str, Any]) -> None:
    assert found(engine, model, changes) == []


@pytest.mark.parametrize(("engine", "key"), [("fsdp2", SHARED), ("fsdp2", SERVED), ("megatron", TENSOR)])
def test_key_value_heads_are_divided_or_repeated(tmp_path: Path, engine: str, key: str) -> None:
    (problem,) = found(engine, folder(tmp_path / "model", 48, 6), {key: 8})
    assert problem.message == f"{key}=8: the model's 6 key-value heads neither divide among 8 GPUs nor go into 8."
    assert (problem.remedy, problem.warning) == ("Use 2.", False)


def test_megatron_of_some_versions_repeats_key_value_heads() -> None:
    (told,) = found("megatron", QWEN_3B, {TENSOR: 4})
    assert (
        told.message
        == f"{TENSOR}=4 is more than the model's 2 key-value heads, which Megatron-Core before 0.16 refuses."
    )
    assert (told.remedy, told.warning) == ("Use 2, or Megatron-Core 0.16 or newer.", True)


def test_stages_may_be_uneven_where_they_are_given(tmp_path: Path) -> None:
    model = folder(tmp_path / "model", 8, 8, layers=30)
    counted = {f"{CHANGED}.account_for_{part}_in_pipeline_split": True for part in ("embedding", "loss")}
    assert [problem.key for problem in found("megatron", model, {STAGES: 4})] == [STAGES]
    assert found("megatron", model, {STAGES: 4, f"{CHANGED}.num_layers_in_first_pipeline_stage": 6}) == []
    assert found("megatron", model, {STAGES: 4, **counted}) == []
    (told,) = found("megatron", model, {STAGES: 4, **dict([*counted.items()][:1])})
    assert "the model's 31 layers (embedding and loss counted as configured)" in told.message
    assert told.remedy == f"Use 1{UNEVEN}"


def test_the_critic_is_a_model_of_its_own(tmp_path: Path) -> None:
    key, smaller = "critic.fsdp.ulysses_sequence_parallel_size", folder(tmp_path / "critic", 9, 3)
    critic = {"critic.enable": True, key: 2}
    assert found("fsdp2", QWEN3, {**critic, "critic.model.path": QWEN3}) == []
    (told,) = found("fsdp2", QWEN3, {**critic, "critic.model.path": smaller})
    assert told.message == f"{key}=2: the model's 9 attention heads do not divide among 2 GPUs."
    assert found("fsdp2", QWEN3, {"critic.enable": False, key: 2, "critic.model.path": smaller}) == []


def test_the_check_of_a_whole_configuration_has_them() -> None:
    words = ["experiment=grpo_gsm8k", "machine=h100x8", "engine=fsdp2_sp8"]
    (told,) = find_problems(compose_config(words), words)
    assert told.message == f"{SHARED}=8: the model's 28 attention heads do not divide among 8 GPUs."
    assert told.origin.endswith("fsdp2_sp8.yaml:9")


def test_every_known_model_divides_into_whole_groups() -> None:
    for sizes, _ in PUBLISHED.values():
        heads, kv_heads = sizes[3:5]
        assert heads % kv_heads == 0
