"""`harness check` on ten thousand mutated override lists, experiments and classic files: an answer each time, never a traceback.

    python benchmarks/check_fuzz.py [--cases 10000]

Resumable: parts of 500 cases that are on record for the same sources are not run again. Writes
benchmarks/results/check_fuzz.json after every part.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import io
import json
import os
import tempfile
import time
import traceback
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from harness.cli import main as harness
from harness.records.atomic import write_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "check_fuzz.json"
MUTATIONS = ROOT / "tests" / "unit" / "check" / "mutations.py"
CLASSIC = MUTATIONS.with_name("classic.yaml")
PARTS_TESTED = ("harness/check", "harness/components", "harness/config", "conf")
PART = 500
AGAIN_ABOVE_S, TRIES = 1.5, 3  # a busy machine is slow at times; a case that is slow is slow each time


def sources() -> str:
    """A hash of what is tested."""
    found = [file for part in PARTS_TESTED for file in sorted((ROOT / part).rglob("*"))]
    files = [file for file in found if file.suffix in (".py", ".yaml")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in [*files, MUTATIONS, CLASSIC])).hexdigest()[:12]


def run_part(seed: int) -> dict[str, Any]:
    """One part: exit codes, the slowest answer, and whatever raised."""
    spec = importlib.util.spec_from_file_location("mutations", MUTATIONS)
    assert spec is not None
    assert spec.loader is not None
    mutations = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mutations)
    mutator = mutations.Mutator(seed)
    codes: Counter[str] = Counter()
    slowest, busiest, raised = 0.0, 0.0, []
    for number in range(PART):
        words = mutator.words(number)
        took: list[float] = []
        used: list[float] = []
        while not took or (min(took) > AGAIN_ABOVE_S and len(took) < TRIES):
            begun, worked = time.perf_counter(), time.process_time()
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                try:
                    code = str(harness(["check", *words]))
                except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
                    code = "raised"
                    raised.append({"words": words, "error": traceback.format_exc()[-800:]})
            took.append(time.perf_counter() - begun)
            used.append(time.process_time() - worked)
        codes[code] += 1
        slowest, busiest = max(slowest, min(took)), max(busiest, min(used))
    seconds = {"slowest_s": round(slowest, 2), "slowest_cpu_s": round(busiest, 2)}  # they differ on a busy machine
    return {"codes": dict(codes), **seconds, "raised": raised, "date": str(date.today())}


def main() -> None:
    """Run what is not on record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    cases = parser.parse_args().cases
    mark = sources()
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    parts = kept["parts"] if kept.get("sources") == mark else {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for seed in range(1000, 1000 + -(-cases // PART)):
            if str(seed) not in parts:
                parts[str(seed)] = run_part(seed)
                write_text(
                    RESULTS, json.dumps({"sources": mark, "cases_a_part": PART, "parts": parts}, indent=1) + "\n"
                )
            print(f"seed {seed}: {json.dumps(parts[str(seed)])[:200]}", flush=True)
    print(f"{len(parts) * PART} cases, {sum(len(part['raised']) for part in parts.values())} raised")


if __name__ == "__main__":
    main()
