"""The classic interface: one script without a main guard decorates, trains, saves and generates; the same by flags."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from runs import Finished, environment

from harness.config.compose import compose_config, resolve
from harness.prepare import prepare_all
from harness.records.generations import read_generations, validation_steps
from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder

SCRIPT = """
from harness import (
    VERLTrainingManager, register_policy_loss, register_reward_function, register_reward_manager, registry
)

print("the script runs", flush=True)
BONUS = 0.5


@register_reward_function("my_reward_function")
def my_reward_function(input_text, response_text, **kwargs):
    return BONUS + float(response_text.strip() == kwargs["ground_truth"])


@register_reward_manager("my_reward_manager")
class MyRewardManager:
    def __init__(self, tokenizer, num_examine, config, compute_score=None):
        self.tokenizer, self.compute_score = tokenizer, compute_score

    def __call__(self, data):
        import torch

        rewards = torch.zeros_like(data.batch["responses"], dtype=torch.float32)
        for row in range(len(data)):
            item = data[row]
            width = item.batch["prompts"].shape[-1]
            length = int(item.batch["attention_mask"][width:].sum())
            text = self.tokenizer.decode(item.batch["responses"][:length], skip_special_tokens=True)
            rewards[row, length - 1] = self.compute_score(
                solution_str=text, ground_truth=item.non_tensor_batch["reward_model"]["ground_truth"]
            )
        return rewards


@register_policy_loss("doubled")
def doubled(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, factor=2.0):
    from verl.trainer.ppo.core_algos import compute_policy_loss_vanilla

    loss, metrics = compute_policy_loss_vanilla(
        old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config
    )
    return factor * loss, {**metrics, "actor/bonus": BONUS, "actor/factor": factor}


manager = VERLTrainingManager(
    config="run.yaml",
    algorithm_type="grpo",
    reward_function=registry.get_reward_function("my_reward_function"),
    reward_manager_class=registry.get_reward_manager("my_reward_manager"),
    core_algos_module="custom_core_algos.py",
    core_algos_function="compute_custom_advantage",
    overrides=["policy_loss=doubled", "policy_loss.factor=3.0"],  # by the name it has been given above
)
stats = manager.train(data_path="data", output_dir="results")
print("stats", stats.status.state, stats.steps)
runs = [manager.run]
print("generated", repr(manager.generate(["Spell: a b"])))
manager.evaluate(output_dir="evaluated")
runs += [manager.run]
saved = manager.save("saved")
checkpoint = manager.trained.checkpoint
manager.load(saved)
print("generated", repr(manager.generate(["Spell: a b"])))
manager.train(output_dir="continued", total_steps=1)
runs += [manager.run]
manager.load(checkpoint)
manager.train(output_dir="gone_on", total_steps=3)
runs += [manager.run]
print("runs", *(run.path for run in runs))
"""
CORE = """
import torch


def compute_custom_advantage(token_level_rewards, eos_mask, index, epsilon=1e-6):
    scores = token_level_rewards.sum(-1)
    assert scores.min() >= 0.5, "the reward of the script"
    advantages = torch.zeros_like(scores)
    for group in set(index.tolist()):
        rows = torch.tensor([place for place, of in enumerate(index.tolist()) if of == group])
        advantages[rows] = (scores[rows] - scores[rows].mean()) / (scores[rows].std() + epsilon)
    return advantages[:, None] * eos_mask, advantages[:, None] * eos_mask
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classic")
    tiny = resolve(compose_config(["experiment=quickstart_tiny", "data.val_max_samples=16"]))
    prepare_all(tiny, print)
    (folder / "data").mkdir()
    (folder / "data/train.parquet").symlink_to(tiny.data.train_files)
    (folder / "data/validation.parquet").symlink_to(tiny.data.val_files)
    settings = {
        "data": {
            "train_batch_size": 8,
            "max_prompt_length": tiny.data.max_prompt_length,
            "max_response_length": tiny.data.max_response_length,
            "val_max_samples": 16,
        },
        "actor_rollout_ref": {
            "model": {"path": tiny.actor_rollout_ref.model.path},
            "actor": {"ppo_mini_batch_size": 8, "ppo_micro_batch_size_per_gpu": 16, "optim": {"lr": 1e-3}},
            "rollout": {"n": 4},
        },
        "reward_model": {"enable": False},
        "verifier": {"timeout": 10},
        "trainer": {"total_training_steps": 2, "test_freq": 2},
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(settings))
    (folder / "script.py").write_text(SCRIPT)
    (folder / "custom_core_algos.py").write_text(CORE)
    return folder


def test_one_script_decorates_trains_saves_and_generates(project: Path) -> None:
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("the script runs") == 1
    assert "stats done 2" in result.stdout
    (run,) = (project / "results" / "run").iterdir()
    records = [record for record in read_metrics(RunFolder.open(run).metrics) if record.step]
    assert min(record.metrics["critic/score/min"] for record in records) >= 0.5
    assert max(record.metrics["actor/grad_norm"] for record in records) > 0
    assert {(record.metrics["actor/bonus"], record.metrics["actor/factor"]) for record in records} == {(0.5, 3.0)}
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(project / "saved")
    model = AutoModelForCausalLM.from_pretrained(project / "saved", dtype="float32")
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Spell: a b"}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    limit = yaml.safe_load((project / "run.yaml").read_text())["data"]["max_response_length"]
    ids = model.generate(**prompt, do_sample=False, max_new_tokens=limit)[0, prompt["input_ids"].shape[1] :]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    generated = [line for line in result.stdout.splitlines() if line.startswith("generated")]
    assert [eval(line.removeprefix("generated ")) for line in generated] == [[text], [text]]
    paths = next(line for line in result.stdout.splitlines() if line.startswith("runs")).split()[1:]
    trained, evaluated, continued, gone_on = (texts_at_the_start(RunFolder(project / path)) for path in paths)
    assert evaluated == continued == gone_on != trained  # all of them begin with the trained model
    steps = [record.step for record in read_metrics(RunFolder(project / paths[-1]).metrics)]
    assert steps == [2, 3]  # from a checkpoint the steps go on as well


def texts_at_the_start(run: RunFolder) -> list[str]:
    step = min(validation_steps(run.generations))
    return [sample.output for sample in read_generations(run.generations, step)]


def test_a_saved_model_is_evaluated(project: Path, harness: Callable[..., Finished]) -> None:
    words = ("experiment=quickstart_tiny", "data.val_max_samples=16", "name=evaluated")
    finished = harness("evaluate", "saved", *words, folder=project)
    assert finished.code == 0, finished.err
    (record,) = finished.records
    assert record.step == 0
    assert any(name.startswith("val-core") for name in record.metrics)


def test_the_same_by_flags(project: Path, harness: Callable[..., Finished]) -> None:
    finished = harness("train", "--config=run.yaml", "--algorithm=dr_gpo", folder=project)
    assert finished.code == 2
    assert "dr_grpo" in finished.err
    (project / "one.py").write_text("def score(input_text, response_text, **kwargs):\n    return 1.0\n")
    finished = harness(
        "train",
        "reward_fn=[custom]",
        "reward_fn.custom.module=one.py",
        "--config=run.yaml",
        "--algorithm=dr_grpo",
        "--data_path=data",
        "--output_dir=flags",
        "--core_algos=custom_core_algos.py",
        folder=project,
    )
    assert finished.code == 0, finished.err
    assert all(record.metrics["critic/score/mean"] == 1.0 for record in finished.records if record.step)
