"""What the record costs a training step: its metrics, its stages, and a validation's generations.

    python benchmarks/record_cost.py [--steps 2000] [--metrics 60] [--samples 256]

In this process, into a temporary folder, as the training process writes it. The promise is 1 ms a step at most. Writes
benchmarks/results/record_cost.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from machine import machine

from harness.backend.recorder import Recorder
from harness.records.atomic import write_text
from harness.records.generations import Generation, write_generations
from harness.records.metrics import MetricsTail

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "record_cost.json"
STAGES = (
    "generating",
    "scoring",
    "computing log-probs",
    "computing advantages",
    "updating the actor",
    "sending the weights",
)
PROMISED_MS = 1.0


def steps_of(folder: Path, steps: int, metrics: int) -> dict[str, Any]:
    """Write them and time each."""
    recorder, rng = Recorder(folder), np.random.default_rng(1)
    names, taken = [f"actor/metric_{number}/mean" for number in range(metrics)], []
    for step in range(1, steps + 1):
        values = dict(zip(names, rng.normal(size=metrics), strict=True))
        started = time.perf_counter()
        for stage in STAGES:
            recorder.stage(stage, step)
        recorder.metrics.write(step, values)
        taken.append((time.perf_counter() - started) * 1e3)
    tail, started = MetricsTail(recorder.metrics.path), time.perf_counter()
    read = len(tail.poll())
    assert read == steps, f"{read} of {steps} steps are there"
    return {
        "median_ms": round(statistics.median(taken), 3),
        "p99_ms": round(float(np.percentile(taken, 99)), 3),
        "last_tenth_median_ms": round(statistics.median(taken[-max(1, steps // 10) :]), 3),
        "bytes_a_step": round(sum(path.stat().st_size for path in folder.glob("*.jsonl")) / steps),
        "read_all_ms": round((time.perf_counter() - started) * 1e3, 1),
    }


def validation_of(folder: Path, samples: int) -> dict[str, Any]:
    """Write a validation's generations, of a thousand characters each."""
    written = [Generation(each, "q" * 200, "a" * 800, "42", 1.0, 1, extra={"acc": 1.0}) for each in range(samples)]
    started = time.perf_counter()
    path = write_generations(folder, 1, written)
    taken = (time.perf_counter() - started) * 1e3
    return {"samples": samples, "ms": round(taken, 1), "bytes_a_sample": round(path.stat().st_size / samples)}


def main() -> None:
    """Measure, print and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("--steps", 2000), ("--metrics", 60), ("--samples", 256)):
        parser.add_argument(name, type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        step = steps_of(Path(folder), given.steps, given.metrics)
        validation = validation_of(Path(folder) / "generations", given.samples)
    result = {"steps": given.steps, "metrics": given.metrics, "step": step, "validation": validation}
    about = {"command": " ".join(sys.argv), "machine": machine(), "date": str(date.today())}
    write_text(RESULTS, json.dumps({**result, **about}, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    if step["median_ms"] > PROMISED_MS:
        raise SystemExit(f"a step's record takes {step['median_ms']} ms; {PROMISED_MS} are promised")


if __name__ == "__main__":
    main()
