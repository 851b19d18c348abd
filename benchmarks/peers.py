"""The real quick start's work through TRL's GRPOTrainer too, in turn with `harness train`.

    python benchmarks/peers.py [--steps 6] [--rounds 2]

Same model, prompts, reward, batch, group size, response limit and learning rate; TRL generates with `transformers`, its
default. TRL gets an environment of its own, benchmarks/.venv-trl, made on first use. It is measured in fp32 and, where
the processor has instructions for it, with bf16, its default; the harness runs as its quick start is configured.
Resumable: rounds on record with the same fingerprint and machine are not run again. Writes benchmarks/results/peers.json
after every round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rounds import about, rounds_on_record
from step_overhead import HERE, WARM_UP_STEPS, run_harness

from harness.config.compose import compose_config, resolve
from harness.config.detect import detect_bf16
from harness.config.fingerprint import fingerprint
from harness.prepare import prepare_all
from harness.records.atomic import write_text

ROOT = HERE.parent
RESULTS = HERE / "results" / "peers.json"
PACKAGES = ("trl==1.16.0", "transformers==5.10.4", "reasoning-gym==0.1.25")


def trl_python() -> Path:
    """The interpreter of TRL's environment, which is made if need be."""
    folder = Path(os.environ.get("TRL_ENVIRONMENT", HERE / ".venv-trl"))
    python = folder / "bin" / "python"
    if not python.exists():
        sys.path.insert(0, str(ROOT / "scripts"))
        from setup_env import LOCKS, Environment, locked_torch

        environment = Environment(folder)
        environment.create()
        environment.install_torch(locked_torch(LOCKS["cpu"]))
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def run_trl(config: Any, steps: int, bf16: bool) -> dict[str, float]:
    """One training through TRL."""
    with tempfile.TemporaryDirectory() as folder:
        reward = {
            name: value for name, value in config.reward_fn.reasoning_gym.items() if name not in ("_target_", "weight")
        }
        settings = {
            "project": str(ROOT),
            "output": folder,
            "model": config.actor_rollout_ref.model.path,
            "data": config.data.train_files,
            "reward": reward,
            "prompts": config.data.train_batch_size,
            "n": config.actor_rollout_ref.rollout.n,
            "max_response_length": config.data.max_response_length,
            "lr": config.actor_rollout_ref.actor.optim.lr,
            "steps": steps,
            "bf16": bf16,
        }
        path = Path(folder) / "settings.json"
        path.write_text(json.dumps(settings))
        command = [trl_python(), HERE / "trl_grpo.py", path]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"TRL failed:\n{result.stderr[-4000:]}")
    measured = json.loads(result.stdout.strip().splitlines()[-1])
    return {"first step": measured["first step"], "step": statistics.median(measured["steps"][WARM_UP_STEPS - 1 :])}


def main() -> None:
    """Run all sides in turn and print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    arguments, further = parser.parse_known_args()
    steps = arguments.steps
    overrides = ["experiment=quickstart", f"trainer.total_training_steps={steps}", "trainer.test_freq=-1", *further]
    overrides += ["trainer.val_before_train=false"]  # TRL validates nothing either
    config = resolve(compose_config(overrides))
    mark = fingerprint(config)
    rounds = rounds_on_record(json.loads(RESULTS.read_text()) if RESULTS.exists() else {}, mark)
    if len(rounds) < arguments.rounds:
        prepare_all(config, print)
    for number in range(len(rounds) + 1, arguments.rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            ours = run_harness(overrides, Path(folder))
        sides = {"harness": ours, "TRL fp32": run_trl(config, steps, False)}
        if detect_bf16():
            sides["TRL bf16"] = run_trl(config, steps, True)
        rounds.append(sides)
        print(f"round {number}: {json.dumps(rounds[-1])}", flush=True)
        record = about(mark) | {"rounds": rounds, "medians": medians(rounds)}
        write_text(RESULTS, json.dumps(record, indent=2) + "\n")
    for figure, table in medians(rounds).items():
        print(f"{figure}: " + "   ".join(f"{name} {value:.2f}" for name, value in table.items()))


def medians(rounds: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Of all sides and of the ratio to each peer in each round, by figure."""
    table: dict[str, dict[str, float]] = {}
    for figure in ("step", "first step"):
        table[figure] = {side: statistics.median(each[side][figure] for each in rounds) for side in rounds[0]}
        for peer in [side for side in rounds[0] if side != "harness"]:
            table[figure][f"ratio to {peer}"] = statistics.median(
                each["harness"][figure] / each[peer][figure] for each in rounds
            )
    return table


if __name__ == "__main__":
    main()
