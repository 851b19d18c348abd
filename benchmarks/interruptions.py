"""Fifty interruptions of trainings: `kill -9` of driver, task runner, workers and Ray at random moments.

    python benchmarks/interruptions.py [--count 50] [--steps 24]

A training is killed and resumed until it is done, then the next one begins; each is compared with one that was not
interrupted: every recorded step's numbers and the last checkpoint's weights have to be the same, bit by bit. Resumable:
trainings on record are not run again. Writes benchmarks/results/interruptions.json.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

from machine import machine

from harness.records.atomic import write_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "interruptions.json"
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from interruptions import (  # type: ignore[attr-defined]  # noqa: E402  the tests', not this file
    as_rows,
    differences,
    interrupted,
    undisturbed,
    without_record,
    words,
)

SEED, LONGEST_SECONDS = 21, 75.0


def main() -> None:
    """Interrupt until there are enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--steps", type=int, default=24)
    given = parser.parse_args()
    trainings = json.loads(RESULTS.read_text())["trainings"] if RESULTS.exists() else []
    done = sum(len(each["interruptions"]) for each in trainings)
    with tempfile.TemporaryDirectory() as name:
        folder, training = Path(name), words(given.steps, SEED)
        whole = undisturbed(folder, training) if done < given.count else None
        while whole and done < given.count:
            draw = random.Random(1000 * SEED + len(trainings))
            run, made = interrupted(folder, training, given.count - done, LONGEST_SECONDS, draw)
            done += len(made)
            trainings.append(
                {
                    "interruptions": as_rows(made),
                    "differences": differences(run, whole, given.steps),
                    "steps_without_record": without_record(run, given.steps),
                    "date": str(date.today()),
                }
            )
            write_text(RESULTS, json.dumps(_summary(trainings, given.steps), indent=1) + "\n")
            print(f"{done} interruptions, differences: {trainings[-1]['differences']}", flush=True)
    print(json.dumps({key: value for key, value in _summary(trainings, given.steps).items() if key != "trainings"}))


def _summary(trainings: list[dict], steps: int) -> dict:
    rows = [row for each in trainings for row in each["interruptions"]]
    return {
        "interruptions": len(rows),
        "by_victim": dict(Counter(row["victim"] for row in rows)),
        "trainings_that_differ": sum(bool(each["differences"]) for each in trainings),
        "steps_a_training": steps,
        "most_steps_lost": max((row["step"] - row["saved"] for row in rows), default=0),
        "machine": machine(),
        "trainings": trainings,
    }


if __name__ == "__main__":
    main()
