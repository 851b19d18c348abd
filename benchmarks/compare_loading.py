"""Comparing a thousand runs of 500 steps and 60 metrics, and the loading alone, the first time and the second.

    python benchmarks/compare_loading.py [--runs 1000] [--repeats 3]

Makes the runs in a temporary folder with the harness's own writers (about 1.5 GB), as a sweep of algorithms, learning
rates and seeds; the metrics have verl's names, and the last validation left its samples. ``load`` reads them;
``compare`` is `harness compare SWEEP` to its last line: 20 groups of 50 seeds against one of them, over runs and over
prompts. Each is a process of its own: the first begins with an empty cache, the second finds what the first left. The
files' pages are in the system's cache both times, as they have just been written. Seconds are those of the whole
process (``imports_s`` of its first imports), CPU seconds over all its processes (on a busy machine they say more);
memory is the largest of the process and those that it started.
Writes benchmarks/results/compare_loading.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

from machine import machine

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "compare_loading.json"
ALGORITHMS = ("grpo", "dapo", "rloo", "remax", "dr_grpo")
RATES = (1e-5, 3e-5, 1e-4, 3e-4)
STEPS, VALIDATE_EVERY = 500, 20
QUESTION, ANSWER = "A question of some length, number {0}, as a data set has it. " * 4, "Step by step. " * 40
PROMPTS = 64  # of the validation
VALIDATION = ("val-core/gsm8k/acc/mean@1", "val-aux/gsm8k/reward/mean@1", "val-aux/num_turns/mean")
PARTS = {
    "critic": ("score", "rewards", "advantages", "returns"),
    "": ("response_length", "prompt_length", "global_seqlen", "response_length_non_aborted"),
    "training": ("num_turns", "off_policy/trajectory_spans", "off_policy/trajectory_staleness"),
}
SINGLE = (
    *(f"actor/{name}" for name in ("entropy", "pg_clipfrac", "ppo_kl", "pg_loss", "loss", "grad_norm", "lr")),
    *(f"rollout_corr/{name}" for name in ("kl", "k3_kl", "training_ppl", "rollout_ppl")),
    *(f"training/{name}" for name in ("rollout_probs_diff_max", "rollout_probs_diff_mean", "global_step")),
    *(f"timing_s/{name}" for name in ("gen", "old_log_prob", "adv", "update_actor", "update_weights", "step")),
    *(f"perf/{name}" for name in ("total_num_tokens", "time_per_step", "throughput", "mfu/actor")),
)


def metric_names() -> list[str]:
    """Sixty of verl's names."""
    spread = [
        f"{part}/{name}/{of}".lstrip("/")
        for part, names in PARTS.items()
        for name in names
        for of in ("mean", "max", "min")
    ]
    return [*spread, *SINGLE, *VALIDATION][:60]


def make_runs(root: Path, runs: int) -> Path:
    """A sweep of so many finished runs."""
    import numpy as np
    import yaml
    from omegaconf import OmegaConf

    from harness.config.compose import compose_config, resolve
    from harness.config.fingerprint import fingerprint
    from harness.records.generations import Generation, write_generations
    from harness.records.jsonl import encode_line
    from harness.records.provenance import Provenance
    from harness.records.run_folder import RunFolder
    from harness.records.status import StatusWriter

    random, about = np.random.default_rng(0), Provenance()
    sweep = root / "outputs" / "benchmark" / "sweep"
    planned: list[Any] = []
    names = [name for name in metric_names() if name not in VALIDATION]
    for algorithm, rate in product(ALGORITHMS, RATES):
        words = [f"algorithm={algorithm}", f"actor_rollout_ref.actor.optim.lr={rate}"]
        config = resolve(compose_config(["experiment=quickstart_tiny", *words]))
        text, print_ = OmegaConf.to_yaml(config), fingerprint(config)
        for seed in range(1, runs // (len(ALGORITHMS) * len(RATES)) + 1):
            label = f"algorithm={algorithm} lr={rate} seed={seed}"
            run = RunFolder.create(sweep.parent, sweep.name, label.replace(" ", "_").replace("=", "-"))
            given = ["experiment=quickstart_tiny", *words, f"seed={seed}"]
            planned.append({"index": len(planned), "run_id": run.run_id, "label": label, "words": given})
            run.config.write_text(
                text.replace("\nseed: 1\n", f"\nseed: {seed}\n").replace("run_id: null", f"run_id: {run.run_id}")
            )
            run.overrides.write_text(yaml.safe_dump(given))
            about.write(run, seed=seed, fingerprint=print_)
            status = StatusWriter(run)
            status.running(STEPS)
            status.advance(STEPS)
            status.done()
            right = random.random(PROMPTS) < 0.5
            write_generations(
                run.generations,
                STEPS,
                [
                    Generation(
                        place,
                        QUESTION.format(place),
                        ANSWER,
                        str(place),
                        float(known),
                        STEPS,
                        source="gsm8k",
                        extra={"acc": float(known)},
                    )
                    for place, known in enumerate(right)
                ],
            )
            run.metrics.write_bytes(b"".join(map(encode_line, _records(random.random((STEPS + 1, 60)), names))))
    (sweep / "sweep.yaml").write_text(yaml.safe_dump({"words": [], "runs": planned, "finished": []}))
    return sweep


def _records(values: Any, names: list[str]) -> Iterator[dict[str, Any]]:
    start = time.time()
    for step, row in enumerate(values.tolist()):
        metrics = dict(zip(names, row, strict=False)) if step else {}
        if step % VALIDATE_EVERY == 0:
            metrics |= dict(zip(VALIDATION, row, strict=False))
        yield {"step": step, "time": start + step, "metrics": metrics}


def load(sweep: Path) -> dict[str, Any]:
    """Load the sweep once, in this process."""
    start = time.perf_counter()
    from harness.compare.load import load_runs
    from harness.compare.targets import find_targets

    imported = time.perf_counter()
    runs = load_runs(find_targets([str(sweep)]).runs)
    loaded = time.perf_counter()
    if any(len(run.steps) != STEPS + 1 or len(run.metrics) < 60 or run.problems for run in runs):
        raise SystemExit("a run was not loaded whole")
    return {"imports_s": imported - start, "load_s": loaded - imported, **used()}


def compare(sweep: Path) -> dict[str, Any]:
    """Compare the sweep once, in this process, as the command does."""
    from harness.cli import main as harness

    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        code = harness(["compare", str(sweep)])
    said = shown.getvalue()
    if code or said.count("●") != len(ALGORITHMS) * len(RATES) - 1 or said.count(f"over {PROMPTS} prompts") < 19:
        raise SystemExit(f"the sweep was not compared whole:\n{said}")
    return used()


def used() -> dict[str, Any]:
    """Processor time and memory of this process and those that it started."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in each)
    return {"cpu_s": cpu, "peak_mb": max(one.ru_maxrss for one in each) // 1024}


def measured(what: str, sweep: Path, cache: Path) -> dict[str, Any]:
    """A load or a comparison in a fresh process."""
    command = [sys.executable, __file__, f"--{what}", str(sweep)]
    environment = {**os.environ, "HARNESS_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return {"seconds": time.perf_counter() - start, **json.loads(done.stdout)}


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--load", type=Path, help="load this sweep and print what it took")
    parser.add_argument("--compare", type=Path, help="compare it and print what it took")
    options = parser.parse_args()
    for work, folder in ((load, options.load), (compare, options.compare)):
        if folder:
            print(json.dumps(work(folder)))
            return
    with tempfile.TemporaryDirectory() as scratch:
        sweep = make_runs(Path(scratch), options.runs)
        size = sum(file.stat().st_size for file in sweep.rglob("metrics.jsonl"))
        times: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for repeat, what, when in product(range(options.repeats), ("load", "compare"), ("first", "second")):
            found = measured(what, sweep, Path(scratch) / f"cache-{what}-{repeat}")
            times.setdefault((what, when), []).append(found)
            print(what, when, found, flush=True)
    result: dict[str, Any] = {"runs": options.runs, "steps": STEPS, "metrics": 60, "metrics_mb": round(size / 1e6)}
    for (what, when), all_of in times.items():
        medians = {key: statistics.median(each[key] for each in all_of) for key in all_of[0]}
        each_s = [round(each["seconds"], 2) for each in all_of]
        result.setdefault(what, {})[when] = {key: round(value, 2) for key, value in medians.items()} | {
            "each_s": each_s
        }
    result |= {"load_average": round(os.getloadavg()[0], 1), "date": date.today().isoformat()}
    result["machine"] = machine()
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
