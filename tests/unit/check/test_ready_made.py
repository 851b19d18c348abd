"""Shipped models, machines and experiments: they compose, pass the check without weights or network, and fit as told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.check.arithmetic import arithmetic_problems
from harness.check.find import find_problems
from harness.check.heads import head_problems
from harness.check.memory import memory_phases, memory_problems
from harness.check.model_shape import model_shape
from harness.check.problem import Problem
from harness.check.report import check_report
from harness.check.schema import verl_schema
from harness.check.values import verl_defaults
from harness.config.compose import compose_config, resolved_tree
from harness.models.sizes import PUBLISHED

ROOT = Path(__file__).resolve().parents[3]
MODEL = "actor_rollout_ref.model"
MACHINES = ("gpu_24gb", "gpu_80gb", "h100x8", "h100x8x2")
WAYS = {
    "full": [],
    "LoRA": ["lora=all_linear"],
    "host": ["actor_rollout_ref.actor.fsdp_config.offload_policy=true"],
}
SERVED_BY = {"qwen2_5_32b": 4}  # GPUs, where it is not one
NODES = {"h100x8": "1", "h100x8x2": "2"}
SPREAD = ("megatron_tp2", "megatron_tp4_pp2", "fsdp2_sp8")
# parameters as the models' cards and files count them
PARAMETERS = {
    "Qwen/Qwen2.5-0.5B": 494_032_768, "Qwen/Qwen2.5-1.5B": 1_543_714_304, "Qwen/Qwen2.5-3B": 3_085_938_688,
    "Qwen/Qwen2.5-7B": 7_615_616_512, "Qwen/Qwen2.5-14B": 14_770_033_664, "Qwen/Qwen2.5-32B": 32_763_876_352,
    "Qwen/Qwen3-0.6B": 596_049_920, "Qwen/Qwen3-1.7B": 1_720_574_976, "Qwen/Qwen3-4B": 4_022_468_096,
    "Qwen/Qwen3-8B": 8_190_735_360, "meta-llama/Llama-3.2-1B-Instruct": 1_235_814_400,
    "meta-llama/Llama-3.2-3B-Instruct": 3_212_749_824, "meta-llama/Llama-3.1-8B-Instruct": 8_030_261_248,
    "HuggingFaceTB/SmolLM2-135M-Instruct": 134_515_008, "HuggingFaceTB/SmolLM2-360M-Instruct": 361_821_120,
    "HuggingFaceTB/SmolLM2-1.7B-Instruct": 1_711_376_384,
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No model in the hub's cache, and nothing made before."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def hub_models() -> dict[str, str]:
    """Option → hub name, of those in conf/model that name one."""
    found = {}
    for file in sorted((ROOT / "conf/model").glob("*.yaml")):
        if path := re.search(r"^    path: ([\w.-]+/[\w.-]+)$", file.read_text(), re.MULTILINE):
            found[file.stem] = path[1]
    return found


@pytest.mark.parametrize("name", PARAMETERS)
def test_sizes_make_the_published_number_of_parameters(name: str) -> None:
    shape = model_shape(name)
    assert shape is not None
    assert shape.parameters == pytest.approx(PARAMETERS[name], rel=1e-3)


def test_every_option_names_a_model_whose_sizes_are_known() -> None:
    options = hub_models()
    assert len(options) > 20
    assert set(options.values()) <= set(PUBLISHED)


# the others differ in the name alone
@pytest.mark.parametrize("option", ["qwen2_5_32b_instruct", "llama3_1_8b_instruct"])
def test_models_pass_the_check_with_adapters(option: str) -> None:
    words = [f"model={option}", "data=gsm8k", "machine=h100x8", "lora=all_linear", "reward_fn=math_answer"]
    config = compose_config(words)
    assert config.actor_rollout_ref.model.path == hub_models()[option]
    assert [str(problem) for problem in find_problems(config, words)] == []


def guide_table(section: str) -> Iterator[tuple[list[str], list[str]]]:
    """Models and further cells of each row of the table in a section of the guide."""
    guide = (ROOT / "docs/guides/models.md").read_text()
    for line in guide.partition(f"## {section}\n")[2].partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith("`") and cells[0] != "`model=`":
            yield re.findall("`([^`]+)`", cells[0]), cells[1:]


def without_instruct(options: Iterable[str]) -> list[str]:
    return sorted({name.removesuffix("_instruct") for name in options})


def composed(machine: str, words: list[str]) -> dict[str, Any]:
    return resolved_tree(compose_config(["model=smollm2_360m", "data=gsm8k", f"machine={machine}", *words]))


def problems_of(tree: dict[str, Any], option: str) -> list[Problem]:
    """What the sizes of a model are the reason of, warnings included, in a configuration made for another one."""
    policy = tree["actor_rollout_ref"]
    policy["model"]["path"] = hub_models()[option]
    policy["rollout"]["tensor_model_parallel_size"] = SERVED_BY.get(option, 1)
    return [*memory_problems(tree), *arithmetic_problems(tree), *head_problems(tree)]


def test_the_guides_table_of_what_fits_is_what_the_check_says() -> None:
    trees = {(machine, way): composed(machine, words) for machine in MACHINES for way, words in WAYS.items()}
    told = [(model, *cell) for models, cells in guide_table("What fits")
            for model in models for cell in zip(MACHINES, cells, strict=True)]  # fmt: skip
    assert without_instruct(hub_models()) == without_instruct(model for model, *_ in told)
    wrong = []
    for model, machine, cell in told:
        ways = set(cell.split(", ")) - {"–"}
        assert ways <= set(WAYS)
        for way in WAYS:
            fits = not problems_of(trees[machine, way], model)
            if fits != (way in ways or "full" in ways):
                wrong.append(f"{model} on {machine}, {way}: {'fits' if fits else 'does not fit'}")
    assert wrong == []


def test_the_guides_table_of_what_can_be_spread_is_what_the_check_says() -> None:
    trees = {(machine, engine): composed(machine, [f"engine={engine}"]) for machine in NODES for engine in SPREAD}
    told = {model: cells for models, cells in guide_table("What can be spread") for model in models}
    assert without_instruct(hub_models()) == without_instruct(told)
    found = {}
    for model in told:
        shape = model_shape(hub_models()[model])
        assert shape is not None
        found[model] = [f"{shape.heads}, {shape.kv_heads}"]
        for engine in SPREAD:
            problems = {nodes: problems_of(trees[machine, engine], model) for machine, nodes in NODES.items()}
            fitting = [nodes for nodes, listed in problems.items() if not listed]
            newer = all("before 0.16" in problem.message for listed in problems.values() for problem in listed)
            found[model].append("newer" if newer and not fitting else ", ".join(fitting) or "–")
    assert found == told


def test_a_sequence_is_spread_as_the_guide_says_where_eight_gpus_cannot() -> None:
    tree = composed("h100x8", ["engine=fsdp2"])
    for option, size in {"qwen2_5_7b": 4, "qwen2_5_1_5b": 4, "qwen2_5_0_5b": 2}.items():
        tree["actor_rollout_ref"]["actor"]["ulysses_sequence_parallel_size"] = size
        assert problems_of(tree, option) == []
        tree["actor_rollout_ref"]["actor"]["ulysses_sequence_parallel_size"] = 8
        assert [problem.code for problem in problems_of(tree, option)] == ["parallelism"]


def test_large_models_are_served_by_several_gpus() -> None:
    for model in ("qwen2_5_32b", "qwen2_5_14b"):
        rollout = compose_config([f"model={model}", "machine=h100x8"]).actor_rollout_ref.rollout
        assert rollout.tensor_model_parallel_size == SERVED_BY.get(model, 1)


RUNS = [
    ("dapo_qwen2_5_32b", "h100x8x2"),
    ("dapo_qwen2_5_32b", "h100x8x2 engine=megatron_tp4_pp2 actor_rollout_ref.actor.ppo_max_token_len_per_gpu=22528"),
    ("dapo_qwen2_5_math_7b", "h100x8"),
    ("dr_grpo_qwen2_5_math_7b", "h100x8"),
    ("dr_grpo_qwen2_5_math_1_5b", "gpu_80gb"),
    ("prime_eurus_2_7b", "h100x8"),
    ("prime_qwen2_5_0_5b", "gpu_80gb"),
    ("grpo_gsm8k", "h100x8"),
    ("grpo_gsm8k", "h100x8 engine=megatron_tp2"),
    ("grpo_lora_gsm8k", "gpu_24gb"),
    ("grpo_lora_gsm8k", "h100x8 model=qwen2_5_7b_instruct cluster=slurm"),
]


def test_every_published_run_is_tried() -> None:
    shipped = {file.stem for file in (ROOT / "conf/experiment").glob("*.yaml")}
    assert shipped == {name for name, _ in RUNS} | {"quickstart", "quickstart_tiny"}


@pytest.mark.parametrize(("experiment", "machine"), RUNS)
def test_published_runs_pass_with_an_estimate(experiment: str, machine: str) -> None:
    words = [f"experiment={experiment}", *f"machine={machine}".split()]
    text, wrong = check_report(words, strict=True)
    assert not wrong, text
    assert "training: weights" in text
    assert "generation: the server's weights" in text
    tree = resolved_tree(compose_config(words))
    for section in ("actor_rollout_ref", "critic", "algorithm", "data"):
        assert not list(unknown(tree[section], verl_defaults(tree)[section], section))


def unknown(node: dict[str, Any], default: dict[str, Any], prefix: str) -> Iterator[str]:
    """Keys that neither the engine's configuration nor its dataclass has: verl would stop at them."""
    target = str(node.get("_target_") or default.get("_target_") or "")
    fields = verl_schema().classes.get(target.rpartition(".")[2], {})
    for name, value in node.items():
        if name not in default and name not in fields:
            yield f"{prefix}.{name}"
        elif isinstance(value, dict) and default.get(name) and isinstance(default[name], dict):  # {} takes anything
            yield from unknown(value, default[name], f"{prefix}.{name}")


def test_values_of_published_runs() -> None:
    dapo = resolved_tree(compose_config(["experiment=dapo_qwen2_5_math_7b", "machine=h100x8"]))
    policy = dapo["actor_rollout_ref"]
    assert policy["model"]["override_config"]["max_position_embeddings"] == 32768
    assert policy["rollout"]["engine_kwargs"]["vllm"]["hf_overrides"] == {"max_position_embeddings": 32768}
    assert policy["rollout"]["max_model_len"] == 2048 + 8192
    assert (policy["actor"]["clip_ratio_high"], dapo["algorithm"]["filter_groups"]["enable"]) == (0.28, False)
    small = resolved_tree(compose_config(["experiment=dr_grpo_qwen2_5_math_1_5b", "machine=h100x8"]))
    assert small["actor_rollout_ref"]["actor"]["loss_scale_factor"] == 3000
    assert (
        small["prepare"]["data"]["system"] == "Please reason step by step, and put your final answer within \\boxed{}."
    )
    prime = resolved_tree(compose_config(["experiment=prime_eurus_2_7b", "machine=h100x8"]))
    assert (prime["algorithm_steps"]["update"], prime["actor_rollout_ref"]["actor"]["entropy_coeff"]) == ("after", 0)


def test_the_guides_machine_and_commands_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (ROOT / "docs/guides/models.md").read_text()
    (name,) = re.findall(r"conf/machine/(\w+)\.yaml", guide)
    (body,) = re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL)
    (tmp_path / "conf/machine").mkdir(parents=True)
    (tmp_path / f"conf/machine/{name}.yaml").write_text(body)
    monkeypatch.chdir(tmp_path)
    commands = [line.split()[2:] for line in guide.splitlines() if line.startswith("harness ")]
    assert len(commands) == 3
    for words in [*commands, ["experiment=grpo_lora_gsm8k", f"machine={name}"]]:
        text, wrong = check_report(words, strict=True)
        assert not wrong, text
    assert "of each a100_40gb (40 GB)" in text


def test_a_machine_and_slurm_go_together() -> None:
    config = compose_config(["experiment=grpo_gsm8k", "machine=h100x8x2", "cluster=slurm"])
    assert (config.cluster.launcher, config.cluster.nodes, config.trainer.n_gpus_per_node) == ("slurm", 2, 8)
    assert (config.trainer.device, config.actor_rollout_ref.rollout.name) == ("cuda", "vllm")
    assert config.actor_rollout_ref.actor.fsdp_config.optimizer_offload is True


@pytest.mark.parametrize(
    ("rollout", "load_format", "merge"), [("vllm", "safetensors", False), ("builtin", "dummy", True)]
)
def test_adapters_suit_the_server(rollout: str, load_format: str, merge: bool) -> None:
    policy = compose_config(["experiment=quickstart", "lora=all_linear", f"rollout={rollout}"]).actor_rollout_ref
    assert (policy.rollout.load_format, policy.model.lora.merge) == (load_format, merge)
    assert (policy.model.lora_rank, policy.model.lora.rank) == (32, 32)


def test_adapters_that_megatron_would_not_see_are_told() -> None:
    words = ["experiment=grpo_gsm8k", "machine=h100x8", "engine=megatron_tp2", f"{MODEL}.lora_rank=8"]
    (told,) = [problem for problem in find_problems(compose_config(words), words) if not problem.warning]
    assert "Megatron's engine reads lora.rank" in told.message
    assert find_problems(compose_config([*words, "lora=all_linear"]), [*words, "lora=all_linear"]) == []


def test_a_micro_batch_that_a_response_does_not_fit_in_is_refused() -> None:
    words = ["experiment=prime_qwen2_5_0_5b", "machine=gpu_24gb", "data.max_response_length=4096"]
    told = {problem.key: problem.message for problem in find_problems(compose_config(words), words)}
    key = "actor_rollout_ref.actor.ppo_max_token_len_per_gpu"
    assert told[key].startswith(f"{key}=4096 is less than a sequence can have")
    shared = [*words, "actor_rollout_ref.actor.ulysses_sequence_parallel_size=2", "cluster.gpus_per_node=2"]
    assert key not in {problem.key for problem in find_problems(compose_config(shared), shared)}


def test_a_cache_too_small_for_one_sequence_is_refused() -> None:
    words = ["experiment=grpo_gsm8k", "machine=h100x8", "model=llama3_1_8b_instruct",
             "actor_rollout_ref.rollout.gpu_memory_utilization=0.3"]  # fmt: skip
    assert find_problems(compose_config(words), words) == []
    longest = [*words, "actor_rollout_ref.rollout.max_model_len=null"]  # vLLM then makes room for 131,072 tokens
    (told,) = find_problems(compose_config(longest), longest)
    assert told.key == "actor_rollout_ref.rollout.gpu_memory_utilization"
    assert "One sequence of 131,072 tokens (max_model_len is not set) takes 17.2 GB of cache there" in told.message
    assert not told.warning
    assert len(memory_phases(resolved_tree(compose_config(longest)))) == 2


@pytest.mark.parametrize("experiment", ["quickstart", "quickstart_tiny", "reward_sql/grpo"])
@pytest.mark.parametrize(("nodes", "gpus"), [(1, 2), (1, 8), (2, 4)])
def test_small_experiments_divide_their_batch_among_the_gpus(experiment: str, nodes: int, gpus: int) -> None:
    words = [f"experiment={experiment}", "device=cuda", "rollout=builtin"]
    words += [f"cluster.nodes={nodes}", f"cluster.gpus_per_node={gpus}"]
    found = find_problems(compose_config(words), words)
    assert [str(problem) for problem in found if not problem.warning] == []
