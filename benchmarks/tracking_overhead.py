"""What W&B costs a training, working or failing: the tiny quick start without it, and with it in each way.

    python benchmarks/tracking_overhead.py [--steps 12] [--rounds 2]

W&B's real client against the tests' server at the HTTP boundary: which works, answers nothing, fails, refuses, is full, or
is not there at all. Seconds from the command to the last step's record, and of a step; both should be those without W&B,
whatever it does. Writes benchmarks/results/tracking_overhead.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from machine import machine

from harness.config.compose import compose_config, resolve
from harness.prepare import prepare_all
from harness.records.atomic import write_text
from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder
from harness.tracking.state import read_tracking

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "tracking_overhead.json"
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from wandb_server import FAILURES, wandb_server  # noqa: E402

MODES = ("none", "ok", "slow", "down", *FAILURES)
STEP, WARM_UP = "timing_s/step", 2


def measure(mode: str, words: list[str]) -> dict[str, Any]:
    """One training with W&B in this state."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environment = dict(os.environ)
        environment.pop("WANDB_MODE", None)
        if mode == "down":
            environment |= {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40}
        elif mode != "none":
            environment |= stack.enter_context(wandb_server(mode)).variables
        asked = [] if mode == "none" else ["tracking=wandb", "tracking.finish_seconds=5"]
        started = time.time()
        command = [sys.executable, "-m", "harness.cli", "train", *words, *asked, f"output_root={folder}", "name=run"]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        (path,) = (Path(folder) / "run").iterdir()
        records = [record for record in read_metrics(RunFolder(path).metrics) if STEP in record.metrics]
        return {
            "last_record_s": round(records[-1].time - started, 2),
            "step_s": round(statistics.median(record.metrics[STEP] for record in records[WARM_UP:]), 3),
            "kept": read_tracking(RunFolder(path)).why[:100],
        }


def main() -> None:
    """Measure every state in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    words = ["experiment=quickstart_tiny", f"trainer.total_training_steps={given.steps}", "trainer.test_freq=-1"]
    prepare_all(resolve(compose_config(words)), print)
    found: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    for _ in range(given.rounds):
        for mode in MODES:
            found[mode].append(measure(mode, words))
            print(mode, json.dumps(found[mode][-1]), flush=True)
    without = {key: statistics.median(each[key] for each in found["none"]) for key in ("last_record_s", "step_s")}
    ratios = {
        mode: {key: round(statistics.median(each[key] for each in rounds) / without[key], 3) for key in without}
        for mode, rounds in found.items()
    }
    result = {"ratio_to_none": ratios, "rounds": found, "machine": machine(), "date": str(date.today())}
    write_text(RESULTS, json.dumps(result, indent=1) + "\n")
    print(json.dumps(ratios, indent=1))


if __name__ == "__main__":
    main()
