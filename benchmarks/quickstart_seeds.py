"""The quick starts over five seeds: how much held-out accuracy rises, and in what time.

    python benchmarks/quickstart_seeds.py [quickstart] [quickstart_tiny] [--seeds 1 2 3 4 5]

Resumable: a seed whose run is on record with the same fingerprint is not run again. Writes
benchmarks/results/quickstart_seeds.json after every run. Ends with 1 if a seed misses what is promised.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

from machine import commit, machine

from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.records.atomic import write_text
from harness.records.generations import read_generations, validation_steps
from harness.records.metrics import StepRecord, read_metrics
from harness.records.run_folder import RunFolder
from harness.report.statistics import compare

RESULTS = Path(__file__).resolve().parent / "results" / "quickstart_seeds.json"
RUNS = Path("outputs") / "evidence"
PROMISED = {  # least rise, most seconds of training
    "quickstart": (0.30, 300.0),
    "quickstart_tiny": (0.25, 120.0),
}
STEP = "timing_s/step"
STAGES = {  # of a step, in the order in which they run
    "generation": "timing_s/gen",
    "log-probs before the update": "timing_s/old_log_prob",
    "advantages": "timing_s/adv",
    "update": "timing_s/update_actor",
    "weights to the generation server": "timing_s/update_weights",
}


def run_training(overrides: list[str]) -> str:
    """One training by the command line; its run's folder."""
    command = ["train", *overrides, f"output_root={RUNS}"]
    result = subprocess.run(
        [sys.executable, "-m", "harness.cli", *command], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise SystemExit(f"harness {' '.join(command)} failed:\n{result.stderr}")
    return result.stdout.strip().splitlines()[-1].removeprefix("run: ")


def run_seed(experiment: str, seed: int) -> dict[str, Any]:
    """One training, measured from its record."""
    words = [f"experiment={experiment}", f"seed={seed}"]
    started = time.time()
    run = RunFolder.open(run_training(words))
    return {"command": f"harness train {' '.join(words)}", "seconds_in_all": round(time.time() - started)} | figures(
        run
    )


def figures(run: RunFolder) -> dict[str, Any]:
    """Accuracy before and after, and the time between the two validations."""
    steps = validation_steps(run.generations)
    change = compare(read_generations(run.generations, steps[0]), read_generations(run.generations, steps[-1]))
    records = read_metrics(run.metrics)
    if change is None:
        raise SystemExit(f"{run.shown()}: no two validations of the same prompts")
    return {
        "before": round(change.before.value, 4),
        "after": round(change.after.value, 4),
        "rise": round(change.difference.value, 4),
        "interval_of_the_rise": [round(change.difference.low, 4), round(change.difference.high, 4)],
        "prompts": change.prompts,
        "steps": records[-1].step,
        "seconds_of_training": round(records[-1].time - records[0].time, 1),
        "seconds_a_step": round(median_of(STEP, records), 2),
        "seconds_of_stages": {name: round(median_of(key, records), 3) for name, key in STAGES.items()},
    }


def median_of(key: str, records: list[StepRecord]) -> float:
    """Over the steps that have it."""
    return statistics.median(record.metrics[key] for record in records if key in record.metrics)


def main() -> None:
    """Run what is not on record and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", default=["quickstart", "quickstart_tiny"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[1, 2, 3, 4, 5])
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    missed = []
    for experiment in arguments.experiments:
        for seed in arguments.seeds:
            mark = fingerprint(resolve(compose_config([f"experiment={experiment}", f"seed={seed}"])))
            runs = results.setdefault(experiment, {})
            if runs.get(str(seed), {}).get("fingerprint") != mark:
                about = {"fingerprint": mark, "commit": commit(), "date": str(date.today()), "machine": machine()}
                runs[str(seed)] = about
                runs[str(seed)] |= run_seed(experiment, seed)
                write_text(RESULTS, json.dumps(results, indent=2) + "\n")
            row = runs[str(seed)]
            print(
                f"{experiment:<16} seed {seed}: {row['before']:.2f} → {row['after']:.2f}  rise {row['rise']:+.2f} "
                f"(95 % {row['interval_of_the_rise'][0]:+.2f} to {row['interval_of_the_rise'][1]:+.2f})  "
                f"{row['seconds_of_training']:.0f} s of training, {row['seconds_a_step']:.1f} s a step",
                flush=True,
            )
            rise, seconds = PROMISED.get(experiment, (0.0, math.inf))
            if row["rise"] < rise or row["seconds_of_training"] > seconds:
                missed.append(f"{experiment} seed {seed}: a rise of {rise} within {seconds:.0f} s is promised")
    if missed:
        raise SystemExit("\n".join(missed))


if __name__ == "__main__":
    main()
