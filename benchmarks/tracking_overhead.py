"""What W&B costs a training, working or failing: the tiny quick start without it, and with it in each way.

    python benchmarks/tracking_overhead.py [--steps 12] [--rounds 2]

W&B's real client against the tests' server at the HTTP boundary: which works, answers nothing, fails, refuses, is full, or
is not there at all. Seconds from the command to the last step's record, and of a step; both should be those without W&B,
whatever it does. A round is one training in each of these states. Resumable: rounds of as many steps that are on record
are not run again. Writes benchmarks/results/tracking_overhead.json after each.
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

from wandb_server import wandb_server  # noqa: E402

MODES = ("none", "ok", "down", "slow", "error", "reject", "limit", "full", "malformed", "reset")
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
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rounds = kept["rounds"] if kept.get("steps") == given.steps else []
    prepare_all(resolve(compose_config(words)), print)
    while len(rounds) < given.rounds:
        found = {}
        for mode in MODES:
            found[mode] = measure(mode, words)
            print(mode, json.dumps(found[mode]), flush=True)
        rounds.append(found)
        about = {"steps": given.steps, "command": " ".join(sys.argv), "machine": machine(), "date": str(date.today())}
        write_text(RESULTS, json.dumps({"ratio_to_none": ratios(rounds), **about, "rounds": rounds}, indent=1) + "\n")
    print(json.dumps(ratios(rounds), indent=1))


def ratios(rounds: list[dict[str, dict[str, Any]]]) -> dict[str, dict[str, float]]:
    """State of W&B → median over the rounds of its seconds over those without W&B in the same round."""
    return {
        mode: {
            key: round(statistics.median(each[mode][key] / each["none"][key] for each in rounds), 3)
            for key in ("last_record_s", "step_s")
        }
        for mode in MODES
    }


if __name__ == "__main__":
    main()
