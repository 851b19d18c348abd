"""Every algorithm on the CPU task: what it sets, how far it is from its references, and what it learns.

    python benchmarks/algorithms.py [NAME …] [--seeds 1 2 3] [--steps 25]

Resumable: a run on record with the same fingerprint is not made again. Writes benchmarks/results/algorithms.json after
every run, and docs/algorithms.md from it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import yaml
from machine import machine
from quickstart_seeds import run_training

from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.records.atomic import write_text
from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "algorithms.json"
PAGE = ROOT / "docs" / "algorithms.md"
ALIASES = ("drgrpo",)
REWARD, STEP = "critic/score/mean", "timing_s/step"
WINDOW = 3  # steps averaged at the beginning and at the end
# what the tiny task needs beside the algorithm's name: a critic and a process reward model that learn as fast as the policy
NEEDS = {
    "gdpo": ["reward_fn=[reasoning_gym,exact_match]", "reward_fn.exact_match.extract=whole"],
    "prime": ["algorithm_steps.optim.lr=1e-3"],
}


def algorithms() -> list[str]:
    """The shipped ones, aliases apart."""
    return [path.stem for path in sorted((ROOT / "conf" / "algorithm").glob("*.yaml")) if path.stem not in ALIASES]


# --- what it sets -----------------------------------------------------------------------------------------------------


def keys_set(name: str) -> list[str]:
    """The keys of the algorithm's file and of those it builds on, as overrides."""
    tree = yaml.safe_load((ROOT / "conf" / "algorithm" / f"{name}.yaml").read_text())
    found = []
    for entry in tree.pop("defaults", []):
        if isinstance(entry, Mapping):
            found += [f"{group.removeprefix('override /')}={option}" for group, option in entry.items()]
        elif entry != "_self_":
            found.append(f"as {entry}")
    return [*found, *(f"{key}={json.dumps(value)}" for key, value in _leaves(tree))]


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def comment(name: str) -> str:
    """What the algorithm's file says at its head: the paper, the formula, and what is not as in the paper."""
    lines = (ROOT / "conf" / "algorithm" / f"{name}.yaml").read_text().splitlines()
    head = takewhile(lambda line: line.startswith("#"), lines)
    return " ".join(line.lstrip("# ") for line in head if not line.startswith("# @package"))


# --- how far it is from its references --------------------------------------------------------------------------------


def load(path: str) -> ModuleType:
    """A module of the tests, which hold the references."""
    spec = importlib.util.spec_from_file_location(Path(path).stem + "_of_tests", ROOT / "tests" / "unit" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def loss_error(name: str, tests: ModuleType) -> float:
    """Largest relative error of the loss in float32 over the tests' batches."""
    errors = []
    for algorithm, case in tests.PAIRS:
        if algorithm == name:
            parts = tests.make(case, algorithm)
            wanted = tests.expected(algorithm, parts)
            errors.append(
                abs(tests.shipped(algorithm, parts, dtype=torch.float32)[0].item() - wanted) / abs(wanted or 1)
            )
    return max(errors)


def advantage_error(name: str, tests: ModuleType) -> float:
    """Largest error of the advantages that the composed algorithm computes in float32, over the tests' batches."""
    errors = []
    for algorithm, case in tests.PAIRS:
        if algorithm == name:
            batch = tests.batches.make(case)
            errors.append(float(np.abs(tests.shipped(name, batch)[0] - tests.WANTED[name](batch)[0]).max()))
    return max(errors)


# --- what it learns ---------------------------------------------------------------------------------------------------


def run_seed(name: str, seed: int, steps: int) -> dict[str, Any]:
    """One training."""
    words = _words(name, seed, steps)
    run = RunFolder.open(run_training(words))
    rewards = [record.metrics[REWARD] for record in read_metrics(run.metrics) if REWARD in record.metrics]
    times = [record.metrics[STEP] for record in read_metrics(run.metrics) if STEP in record.metrics]
    return {
        "command": f"harness train {' '.join(words)}",
        "reward_before": round(statistics.mean(rewards[:WINDOW]), 4),
        "reward_after": round(statistics.mean(rewards[-WINDOW:]), 4),
        "seconds_a_step": round(statistics.median(times), 2),
    }


def _words(name: str, seed: int, steps: int) -> list[str]:
    words = ["experiment=quickstart_tiny", f"algorithm={name}", *NEEDS.get(name, [])]
    words += [f"seed={seed}", f"trainer.total_training_steps={steps}", "trainer.test_freq=-1"]
    return [*words, "trainer.val_before_train=false"]


def main() -> None:
    """Run what is not on record and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=algorithms())
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3])
    parser.add_argument("--steps", type=int, default=25)
    arguments = parser.parse_args()
    losses, advantages = load("policy_losses/test_losses.py"), load("advantages/test_shipped.py")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in arguments.names:
        row = results.setdefault(name, {"runs": {}})
        row |= {
            "keys": keys_set(name),
            "loss_error": loss_error(name, losses),
            "advantage_error": advantage_error(name, advantages),
        }
        for seed in arguments.seeds:
            mark = fingerprint(resolve(compose_config(_words(name, seed, arguments.steps))))
            if row["runs"].get(str(seed), {}).get("fingerprint") != mark:
                about = {"fingerprint": mark, "date": str(date.today()), "machine": machine()}
                row["runs"][str(seed)] = about | run_seed(name, seed, arguments.steps)
                write_text(RESULTS, json.dumps(results, indent=1) + "\n")
                write_text(PAGE, page(results, " ".join(sys.argv[1:])))
            print(f"{name:<28} seed {seed}: {json.dumps(row['runs'][str(seed)])}", flush=True)
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    write_text(PAGE, page(results, " ".join(sys.argv[1:])))


def page(results: dict[str, Any], words: str) -> str:
    """docs/algorithms.md."""
    lines = [
        "# Algorithms",
        "",
        "Made by `python benchmarks/algorithms.py"
        + (f" {words}" if words else "")
        + "` (`make evidence`), not by hand.",
        "",
        "- Reward: mean of the first and of the last three training steps on the tiny quick start's task, each seed; it is the",
        "  sum of `reward_fn`, so that `gdpo`, which has two functions, counts to 2, and it is that of the responses trained on:",
        "  `dapo` and `prime` leave out prompts that are always or never solved.",
        "- Error: the largest difference from the float64 references in `tests/unit`, of the advantages (absolute) and of the",
        "  policy loss (relative), computed in float32 by what the name composes to.",
        "- Seconds a step: of the seed that went fastest, as the machine is shared.",
        "- One mini-batch a step: the policy is the one that sampled, ratios are 1 and nothing is clipped, so algorithms that",
        "  differ in the clip alone learn nearly the same here. That their losses differ is what the errors and",
        "  `tests/integration/test_conformance.py` show.",
        "- Twenty-five steps show that an algorithm learns here, not which one is better.",
        "",
        "| `algorithm=` | reward before → after, by seed | s a step | error: advantage, loss |",
        "|---|---|---|---|",
    ]
    for name, row in sorted(results.items()):
        runs = [row["runs"][seed] for seed in sorted(row["runs"], key=int)]
        rewards = " · ".join(f"{run['reward_before']:.2f} → {run['reward_after']:.2f}" for run in runs)
        seconds = min((run["seconds_a_step"] for run in runs), default=float("nan"))
        lines.append(
            f"| `{name}` | {rewards} | {seconds:.1f} | {row['advantage_error']:.0e}, {row['loss_error']:.0e} |"
        )
    lines += ["", "## What each name sets", ""]
    for name, row in sorted(results.items()):
        lines += [f"- `{name}`: {comment(name)}\\", "  " + ", ".join(f"`{key}`" for key in row["keys"])]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
