"""A realistic run folder without a training: 40 steps of GRPO on sums, as the real quick start leaves one."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from harness.records.atomic import write_yaml
from harness.records.checkpoints import begin, complete
from harness.records.generations import Generation, write_generations
from harness.records.metrics import MetricsWriter
from harness.records.provenance import Provenance
from harness.records.run_folder import RunFolder
from harness.records.stages import StageLog
from harness.records.state import save_status
from harness.records.status import RunError, StatusWriter

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
SOURCE = "reasoning_gym/chain_sum"
START_UP = ("composing the configuration", "starting Ray", "loading the model", "starting the generation server")


def make_demo_run(
    root: Path, steps: int = 40, prompts: int = 100, seed: int = 1, end: str = "done", name: str = "quickstart"
) -> RunFolder:
    """A run of ``steps`` steps that validates every 10 (ten times if longer), on ``prompts`` prompts, and ends as ``end`` says."""
    rng = np.random.default_rng(seed)
    folder = RunFolder.create(root, name)
    write_yaml(folder.config, config(name, seed))
    write_yaml(folder.overrides, ["experiment=quickstart", "actor_rollout_ref.actor.optim.lr=2e-5", f"seed={seed}"])
    command = ["harness", "train", "experiment=quickstart"]
    Provenance().write(folder, seed=seed, fingerprint="9f2c51e07ab4", command=command)
    status = StatusWriter(folder)
    status.running(total_steps=steps, stage=START_UP[0])
    stages = StageLog(folder.stages)
    for stage in START_UP:
        stages.enter(stage)
    ability = rng.uniform(0, 1, prompts)
    rows = records(rng, steps)
    _validate(folder, 0, rows[0], ability, 0.3, rng)
    for step in range(1, steps + 1):
        if step % max(10, steps // 10) == 0 or step == steps:
            _validate(folder, step, rows[step], ability, 0.3 + 0.45 * step / steps, rng)
    _write_metrics(folder, rows)
    folder.log.write_text("INFO starting\n" + "(TaskRunner pid=7) step done\n" * 20)
    begin(folder.checkpoints / f"global_step_{steps}")
    complete(folder.checkpoints / f"global_step_{steps}")
    status.advance(steps)
    _finish(status, folder, end)
    return folder


def records(rng: np.random.Generator, steps: int) -> list[dict[str, float]]:
    """The metrics of each step, index 0 empty, under verl's names."""
    rows: list[dict[str, float]] = [{}]
    for step in range(1, steps + 1):
        progress = 1 - np.exp(-2.2 * step / steps)
        reward = float(np.clip(0.28 + 0.5 * progress + rng.normal(0, 0.05), 0, 1))
        timing = {
            "gen": 2.6 + rng.normal(0, 0.15) - 0.5 * progress,
            "old_log_prob": 0.8 + rng.normal(0, 0.03),
            "ref": 0.6 + rng.normal(0, 0.02),
            "adv": 0.04,
            "update_actor": 2.9 + rng.normal(0, 0.1),
            "update_weights": 0.5 + rng.normal(0, 0.02),
        }
        if step % 20 == 0:
            timing["save_checkpoint"] = 2.2
        total = sum(timing.values()) + 0.15
        tokens = 64 * (44 + 30 - 12 * progress)
        rows.append(
            {
                "training/global_step": step,
                "critic/score/mean": reward,
                "critic/rewards/mean": reward - 0.002,
                "response_length/mean": 30 - 12 * progress + rng.normal(0, 0.8),
                "actor/entropy": 0.9 * np.exp(-1.4 * step / steps) + 0.1 + rng.normal(0, 0.01),
                "actor/kl_loss": 0.02 * progress + abs(rng.normal(0, 0.0008)),
                "actor/ppo_kl": rng.normal(0, 1e-4),
                "actor/grad_norm": 0.8 + abs(rng.normal(0, 0.25)),
                "perf/total_num_tokens": tokens,
                "perf/time_per_step": total,
                "perf/throughput": tokens / total,
                "timing_s/step": total,
                **{f"timing_s/{stage}": seconds for stage, seconds in timing.items()},
            }
        )
    return rows


def config(name: str, seed: int) -> dict[str, object]:
    """The part of a configuration that a report reads."""
    actor = {
        "strategy": "fsdp2",
        "optim": {"lr": 2e-5},
        "ppo_mini_batch_size": 16,
        "clip_ratio_low": 0.2,
        "clip_ratio_high": 0.28,
        "use_kl_loss": True,
        "kl_loss_coef": 0.001,
        "loss_agg_mode": "token-mean",
        "policy_loss": {"loss_mode": "vanilla"},
    }
    return {
        "name": name,
        "seed": seed,
        "algorithm": {"adv_estimator": "grpo", "use_kl_in_reward": False},
        "reward_fn": {"reasoning_gym": {"_target_": "harness.rewards.reasoning_gym.score", "weight": 1.0}},
        "data": {
            "train_files": "data/chain_sum/train.parquet",
            "val_files": "data/chain_sum/test.parquet",
            "train_batch_size": 16,
            "max_prompt_length": 96,
            "max_response_length": 48,
        },
        "actor_rollout_ref": {
            "model": {"path": "models/SmolLM2-135M-Instruct", "lora_rank": 0},
            "actor": actor,
            "rollout": {"name": "harness", "n": 4, "temperature": 1.0},
        },
        "trainer": {"total_epochs": 1, "n_gpus_per_node": 1, "logger": ["console"], "v1": {"trainer_mode": "sync"}},
    }


def _validate(
    folder: RunFolder, step: int, row: dict[str, float], ability: np.ndarray, skill: float, rng: np.random.Generator
) -> None:
    right = [step == 0 if index % 25 == 7 else bool(a < skill) for index, a in enumerate(ability)]
    samples = [_sample(index, step, right[index], rng) for index in range(len(ability))]
    write_generations(folder.generations, step, samples)
    row[f"val-core/{SOURCE}/acc/mean@1"] = float(np.mean([sample.score for sample in samples]))


def _sample(index: int, step: int, right: bool, rng: np.random.Generator) -> Generation:
    numbers = [(index * 7 + offset) % 9 + 1 for offset in (1, 4, 6)]
    total = sum(numbers) + 1000 * index
    question = f"{numbers[0]} + {numbers[1]} + {numbers[2]} + {1000 * index}"
    prompt = f"system\nAnswer with the number alone.\nuser\nWhat is {question}?\nassistant\n"
    answer = total if right else total + int(rng.integers(1, 9))
    output = f"<answer>{answer}</answer>" if step else f"Sure! Let's add them:  {question} =\n\t{answer}. "
    if index % 10 == 3:
        output = f"{HOSTILE} {answer}\u200b"
    return Generation(index, prompt, output, str(total), float(right), step, extra={"acc": float(right)})


def _write_metrics(folder: RunFolder, rows: list[dict[str, float]]) -> None:
    writer, began = MetricsWriter(folder.metrics), time.time() - 600
    for step, row in enumerate(rows):
        writer.write(step, row)
    lines = [json.loads(line) for line in folder.metrics.read_text().splitlines()]
    for line in lines:
        line["time"] = round(began + 8.0 * line["step"], 3)
    folder.metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _finish(status: StatusWriter, folder: RunFolder, end: str) -> None:
    if end == "failed":
        log = str(folder.log)
        message = "ValueError: could not convert '12a' to a number (at rewards/sums.py:14 in score)"
        status.failed(RunError("ValueError", message, "let the reward function return 0.0 for it", "reward", log))
    elif end != "running":
        getattr(status, end)()
    began = (datetime.now(UTC) - timedelta(seconds=326)).isoformat(timespec="milliseconds")
    save_status(folder.status, replace(status.status, started=began))
