"""How long a person waits for `harness check` and `show`, beside verl's own `--cfg job`.

    python benchmarks/cli_latency.py [--rounds 5]

In turn, each in a new process. The first `check` of all reads verl's schema anew, as on a first use. Writes
benchmarks/results/cli_latency.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

from machine import machine

from harness.records.atomic import write_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "cli_latency.json"
COMMANDS = {
    "check": [sys.executable, "-m", "harness.cli", "check", "experiment=quickstart"],
    "check, 3 mistakes": [
        sys.executable, "-m", "harness.cli", "check", "experiment=quickstart", "trainer.total_epochs=abc", "+trainer.typo=3",
        "actor_rollout_ref.actor.clip_ratio=0.3",
    ],
    "show": [sys.executable, "-m", "harness.cli", "show", "experiment=quickstart"],
    "verl --cfg job": [sys.executable, "-m", "verl.trainer.main_ppo", "--cfg", "job"],
}  # fmt: skip


def seconds(command: list[str], cache: str) -> float:
    """Wall-clock seconds of a process."""
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=os.environ | {"HARNESS_CACHE": cache}, capture_output=True, check=False)
    return time.perf_counter() - start


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as cache:
        first = seconds(COMMANDS["check"], cache)
        found: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(rounds):
            for name, command in COMMANDS.items():
                found[name].append(round(seconds(command, cache), 2))
    medians = {name: statistics.median(values) for name, values in found.items()}
    result = {"first_check_s": round(first, 2), "median_s": medians, "all_s": found}
    write_text(RESULTS, json.dumps({**result, "machine": machine(), "date": str(date.today())}, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
