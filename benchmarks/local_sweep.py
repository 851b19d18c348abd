"""Eight quick runs as one sweep on this machine, beside eight fresh runs of bare verl.

    python benchmarks/local_sweep.py [--runs 8] [--steps 4] [--at-once 1 2]

The same configuration on both sides, with seeds 1 to 8; see benchmarks/step_overhead.py for what bare verl is given.
Bare verl's runs follow each other, as in a shell's loop. Writes benchmarks/results/local_sweep.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from machine import machine
from step_overhead import run_verl

from harness.config.compose import compose_config, resolve
from harness.prepare import prepare_all
from harness.records.atomic import write_text

RESULTS = Path(__file__).resolve().parent / "results" / "local_sweep.json"


def sweep_seconds(overrides: list[str], seeds: list[int], at_once: int) -> float:
    """Wall-clock seconds of the whole sweep, its planning included."""
    axis = f"seed={','.join(map(str, seeds))}"
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        command = [sys.executable, "-m", "harness.cli", "train", "-m", *overrides, axis, f"output_root={folder}"]
        subprocess.run([*command, f"cluster.at_once={at_once}"], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def verl_seconds(overrides: list[str], seeds: list[int]) -> float:
    """Wall-clock seconds of bare verl's runs, one after another; composing their overrides is not counted."""
    passed = 0.0
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            words = [*overrides, f"seed={seed}"]
            prepare_all(resolve(compose_config(words)), print)
            started = time.perf_counter()
            run_verl(words, Path(folder))
            passed += time.perf_counter() - started
            print(f"bare verl, seed {seed}: {time.perf_counter() - started:.0f} s", flush=True)
    return passed


def main() -> None:
    """Measure both sides."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 2])
    given = parser.parse_args()
    seeds = list(range(1, given.runs + 1))
    overrides = [
        "experiment=quickstart_tiny", f"trainer.total_training_steps={given.steps}", "trainer.test_freq=-1",
    ]  # fmt: skip
    for seed in seeds:  # models and data are made once and kept, for both sides
        prepare_all(resolve(compose_config([*overrides, f"seed={seed}"])), print)
    ours = {str(at_once): round(sweep_seconds(overrides, seeds, at_once), 1) for at_once in given.at_once}
    print(f"harness: {ours}", flush=True)
    theirs = round(verl_seconds(overrides, seeds), 1)
    result = {
        "runs": given.runs,
        "steps": given.steps,
        "harness_s_by_at_once": ours,
        "verl_s": theirs,
        "ratio": {at_once: round(seconds / theirs, 2) for at_once, seconds in ours.items()},
        "machine": machine(),
        "date": str(date.today()),
    }
    write_text(RESULTS, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
