"""W&B's server fails each kind of request in each way: what a training spends on it, and whether `harness sync` mends it.

    python benchmarks/tracking_failures.py [--patience 45] [--at-once 4]

Without the training itself: its steps are written while W&B's real client follows them, against the tests' server at the
HTTP boundary. A training goes on until the client has been told every step, or for so many seconds. Resumable: cases on
record are not run again. Writes benchmarks/results/tracking_failures.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from machine import machine

from harness.records.atomic import write_text
from harness.records.run_folder import RunFolder
from harness.tracking.state import read_tracking

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "tracking_failures.json"
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from wandb_cases import ALL, LONGEST_END_SECONDS, STEPS, outcome  # noqa: E402

if TYPE_CHECKING:
    from wandb_server import Server


def told(server: Server, run: RunFolder) -> bool:
    """Whether the client has been told everything and the server has failed once."""
    return bool(server.failed.total()) and read_tracking(run).told_step == STEPS


def main() -> None:
    """Run what is not on record and say what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patience", type=float, default=45.0)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--kinds", nargs="*", default=sorted({kind for kind, _ in ALL}))
    given = parser.parse_args()
    cases = json.loads(RESULTS.read_text())["cases"] if RESULTS.exists() else {}
    missing = [case for case in ALL if ", ".join(case) not in cases and case[0] in given.kinds]

    def tried(case: tuple[str, str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            cases[", ".join(case)] = found = outcome(Path(folder), *case, told, given.patience).plain
        print(*case, json.dumps(found), flush=True)

    with ThreadPoolExecutor(given.at_once) as pool:
        list(pool.map(tried, missing))
    wrong = {
        name: case
        for name, case in cases.items()
        if case["end_s"] > LONGEST_END_SECONDS or case["missing"] or case["lost"] or not case["met"]
    }
    known = {", ".join(case): cases[", ".join(case)] for case in ALL if ", ".join(case) in cases}
    worst = {name: max(case[name] for case in known.values()) for name in ("start_s", "slowest_step_s", "end_s")}
    result = {"cases": known, "worst": worst, "wrong": sorted(wrong), "command": " ".join(sys.argv)}
    write_text(RESULTS, json.dumps({**result, "machine": machine(), "date": str(date.today())}, indent=1) + "\n")
    print(json.dumps({"cases": len(known), "worst": worst, "wrong": wrong}, indent=1))


if __name__ == "__main__":
    main()
