"""The memory estimate: a model's weights from its configuration, and terms that a hand calculation gives too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.check.memory import memory_phases, memory_problems
from harness.check.model_shape import model_positions, model_shape
from harness.check.report import check_report
from harness.config.compose import compose_config, resolved_tree

QWEN_7B = {
    "num_hidden_layers": 28, "hidden_size": 3584, "vocab_size": 152064, "intermediate_size": 18944,
    "num_attention_heads": 28, "num_key_value_heads": 4, "tie_word_embeddings": False, "max_position_embeddings": 32768,
}  # fmt: skip
LLAMA_8B = {
    "num_hidden_layers": 32, "hidden_size": 4096, "vocab_size": 128256, "intermediate_size": 14336,
    "num_attention_heads": 32, "num_key_value_heads": 8, "tie_word_embeddings": False,
}  # fmt: skip
QWEN3_30B_A3B = {
    "num_hidden_layers": 48, "hidden_size": 2048, "vocab_size": 151936, "intermediate_size": 6144, "head_dim": 128,
    "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8, "num_attention_heads": 32,
    "num_key_value_heads": 4, "tie_word_embeddings": False,
}  # fmt: skip
SMOLLM2 = {
    "num_hidden_layers": 30, "hidden_size": 576, "vocab_size": 49152, "intermediate_size": 1536,
    "num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": True,
}  # fmt: skip


def folder(tmp_path: Path, config: dict[str, Any]) -> str:
    (tmp_path / "config.json").write_text(json.dumps(config))
    return str(tmp_path)


def tree(model: str, *words: str) -> dict[str, Any]:
    given = ["experiment=quickstart", "device=cuda", "rollout=vllm", f"actor_rollout_ref.model.path={model}"]
    sizes = ["data.max_prompt_length=1000", "data.max_response_length=3000"]
    return resolved_tree(compose_config([*given, *sizes, "cluster.gpu=h100", "cluster.gpus_per_node=8", *words]))


# weights as the models' own cards and files count them
@pytest.mark.parametrize(
    ("config", "parameters"),
    [(QWEN_7B, 7_615_616_512), (LLAMA_8B, 8_030_261_248), (QWEN3_30B_A3B, 30_532_122_624), (SMOLLM2, 134_515_008)],
)
def test_weights_are_counted(tmp_path: Path, config: dict[str, Any], parameters: int) -> None:
    shape = model_shape(folder(tmp_path, config))
    assert shape is not None
    assert shape.parameters == pytest.approx(parameters, rel=1e-3)


def test_a_cached_hub_model_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    snapshot = tmp_path / "hub/models--Qwen--Qwen2.5-7B/snapshots/abc"
    snapshot.mkdir(parents=True)
    folder(snapshot, QWEN_7B)
    shape = model_shape("Qwen/Qwen2.5-7B")
    assert shape is not None
    assert model_positions("Qwen/Qwen2.5-7B") == 32768
    assert model_shape("Qwen/Qwen2.5-72B") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"num_attention_heads": 0}', '{"text_config": 3}'])
def test_a_configuration_of_another_kind_is_no_model(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    assert model_shape(str(tmp_path)) is None


def test_the_terms_are_what_a_hand_calculation_gives(tmp_path: Path) -> None:
    words = [
        "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2",
        "actor_rollout_ref.rollout.gpu_memory_utilization=0.5",
        "actor_rollout_ref.rollout.tensor_model_parallel_size=2",
    ]
    training, generation = memory_phases(tree(folder(tmp_path, QWEN_7B), *words))
    terms = {term.name: term.gigabytes for term in training.terms}
    weights = 7.6152832  # 10^9
    assert terms["weights"] == terms["gradients"] == pytest.approx(4 * weights / 8)
    assert terms["Adam's states"] == pytest.approx(8 * weights / 8)
    assert terms["logits"] == pytest.approx(2 * 4000 * 152064 * 6 / 1e9)
    served = {term.name: term.gigabytes for term in generation.terms}
    assert served["the server's weights"] + served["its cache and workspace"] == pytest.approx(40)
    assert served["the server's weights"] == pytest.approx(2 * weights / 2)
    # 57,344 bytes a token: 2 (key, value) × 2 bytes × 28 layers × 4 heads × 128
    room = (40 - weights - 1.5) * 1e9 * 2 / (57_344 * 4000)
    assert f"the cache holds {room:,.0f} sequences of 4,000 tokens" in generation.note


def test_offloading_and_adapters_take_terms_away(tmp_path: Path) -> None:
    model = folder(tmp_path, QWEN_7B)
    whole = memory_phases(tree(model))[0].counted
    assert memory_phases(tree(model, "actor_rollout_ref.model.lora_rank=32"))[0].counted < whole - 10
    assert memory_phases(tree(model, "actor_rollout_ref.actor.fsdp_config.offload_policy=true"))[0].counted < whole - 14
    resident = memory_phases(tree(model))[1].total
    words = [f"actor_rollout_ref.actor.fsdp_config.{what}_offload=true" for what in ("param", "optimizer")]
    for offloaded in (words, ["cluster.offload=true"]):
        assert memory_phases(tree(model, *offloaded))[1].total == pytest.approx(resident - 12 * 7.6152832 / 8)
    assert memory_phases(tree(model, "algorithm=ppo"))[0].counted == pytest.approx(whole + 16 * 7.6152832 / 8)


def test_megatron_spreads_layers_and_the_optimiser(tmp_path: Path) -> None:
    words = ["engine=megatron_tp2", "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=2"]
    training, generation = memory_phases(tree(folder(tmp_path, QWEN_7B), *words))
    terms = {term.name: term.gigabytes for term in training.terms}
    part = 7.6152832 / 2  # two GPUs to a copy, four copies
    assert terms["weights"] == pytest.approx(2 * part)
    assert terms["gradients"] == pytest.approx(4 * part)
    assert terms["Adam's states"] == pytest.approx(12 * part / 4)
    assert terms["logits"] == pytest.approx(2 * 4000 * 152064 * 6 / 2 / 1e9)
    assert generation.terms[-1].gigabytes == pytest.approx(12 * part / 4)
    staged = {
        term.name: term for term in memory_phases(tree(folder(tmp_path, QWEN_7B), "engine=megatron_tp4_pp2"))[0].terms
    }
    layer = 3584 * 128 * (2 * 28 + 2 * 4) + 3 * 3584 * 18944
    assert staged["weights"].gigabytes == pytest.approx(2 * (14 * layer + 152064 * 3584) / 4 / 1e9)


def test_models_beside_the_policy_count(tmp_path: Path) -> None:
    model, weights = folder(tmp_path, QWEN_7B), 7.6152832
    alone = memory_phases(tree(model))[0].counted
    kl = "actor_rollout_ref.actor.use_kl_loss=true"
    assert memory_phases(tree(model, kl))[0].counted == pytest.approx(alone)  # FSDP keeps it in the host's memory
    megatron = ("engine=megatron", "actor_rollout_ref.actor.megatron.tensor_model_parallel_size=2")
    two = [memory_phases(tree(model, *words))[0].counted for words in (megatron, (*megatron, kl))]
    assert two[1] == pytest.approx(two[0] + 2 * weights / 2)
    lora = "lora=all_linear"
    assert memory_phases(tree(model, kl, lora))[0].counted == memory_phases(tree(model, lora))[0].counted
    prime = memory_phases(tree(model, "algorithm=prime"))[0].counted
    assert prime == pytest.approx(alone + 16 * weights / 8)
    left = {term.name: term.gigabytes for term in memory_phases(tree(model, "algorithm=prime"))[1].terms}
    assert left["the process reward model"] == pytest.approx(12 * weights / 8)


def test_a_model_still_to_be_fetched_is_known_by_its_hub_name() -> None:
    words = ["experiment=quickstart", "device=cuda", "rollout=vllm", "cluster.gpu=h100", "cluster.gpus_per_node=1"]
    fetched = resolved_tree(compose_config([*words, "prepare.model.repo_id=HuggingFaceTB/SmolLM2-360M-Instruct"]))
    terms = {term.name: term.gigabytes for term in memory_phases(fetched)[0].terms}
    assert terms["weights"] == pytest.approx(4 * 0.361821, rel=1e-3)


def test_what_is_counted_refuses_and_what_is_estimated_warns(tmp_path: Path) -> None:
    model = folder(tmp_path, QWEN_7B)
    assert not list(memory_problems(tree(model, "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1")))
    (estimated,) = memory_problems(tree(model, "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=24"))
    assert estimated.warning
    assert "ppo_micro_batch_size_per_gpu" in estimated.remedy
    alone = tree(model, "cluster.gpus_per_node=1", "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=1",
                 "actor_rollout_ref.rollout.tensor_model_parallel_size=1")  # fmt: skip
    training, generation = memory_problems(alone)
    assert not training.warning
    assert "weights 30.5 + gradients 30.5 + Adam's states 60.9" in training.message
    assert "is more than its 80 GB" in training.message
    assert "cluster.offload=true" in generation.remedy


def test_nothing_is_estimated_where_something_is_unknown(tmp_path: Path) -> None:
    model = folder(tmp_path, QWEN_7B)
    (unknown,) = memory_problems(tree(model, "cluster.gpu=tpu"))
    assert unknown.warning
    assert "cluster.gpu=tpu" in unknown.message
    known = memory_problems(tree(model, "cluster.gpu=tpu", "cluster.gpu_memory_gb=20"))
    assert "is more than its 20 GB" in next(iter(known)).message
    assert not memory_phases(tree("Qwen/Nothing-Here"))
    assert not memory_phases(tree(model, "engine=torchtitan"))


def test_the_report_shows_the_terms(tmp_path: Path) -> None:
    model = folder(tmp_path, QWEN_7B)
    words = ["experiment=quickstart", "device=cuda", "rollout=vllm", f"actor_rollout_ref.model.path={model}",
             "cluster.gpu=h200", "cluster.gpus_per_node=1", "actor_rollout_ref.rollout.tensor_model_parallel_size=1"]  # fmt: skip
    text, wrong = check_report(words)
    assert "memory   of each h200 (141 GB), estimated\n         training: weights 30.5 + gradients 30.5" in text
    assert wrong  # generation: half of the GPU beside the trainer's weights and optimiser
    seen = json.loads(check_report(words, as_json=True)[0])["seen"]
    assert [each["part"] for each in seen] == ["memory", "memory", "memory"]


def test_no_gpu_no_estimate() -> None:
    config = compose_config(["experiment=quickstart_tiny", "device=cpu", "rollout=builtin"])
    assert not list(memory_problems(OmegaConf.to_container(config, resolve=True)))
