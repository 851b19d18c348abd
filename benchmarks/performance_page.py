"""docs/performance.md, from what the benchmarks have left in benchmarks/results/; never written by hand.

python benchmarks/performance_page.py
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpu_checks.table import gpu_table
from tables import table

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"
HEAD = """# Performance

Made from `benchmarks/results/` by `python benchmarks/performance_page.py`. Sides of a comparison ran in turn, in one go, on one
machine; the ratio is the figure to read, since machines differ and these were busy with other work at times. Below 1 is faster.
"""


def step_overhead(results: dict[str, Any]) -> Iterable[str]:
    """The harness beside bare verl."""
    yield "## A training step, beside bare verl"
    yield "Same configuration, generation server and reward on both sides; medians after two steps of warming up."
    rows = []
    for experiment, result in results.items():
        for figure, sides in result["medians"].items():
            rows.append(
                [f"`{experiment}`", figure, *_seconds(sides["harness"], sides["verl"]), f"{sides['ratio']:.2f}"]
            )
    yield table(["experiment", "", "harness", "bare verl", "ratio"], rows)
    yield from (_source(result["command"], result) for result in results.values())


def peers(result: dict[str, Any]) -> Iterable[str]:
    """The harness beside TRL."""
    yield "## The real quick start's work, beside TRL"
    rows = []
    for figure, sides in result["medians"].items():
        ratios = [f"{sides[f'ratio to {peer}']:.2f}" for peer in ("TRL fp32", "TRL bf16")]
        rows.append([figure, *_seconds(sides["harness"], sides["TRL fp32"], sides["TRL bf16"]), *ratios])
    yield table(["", "harness", "TRL, fp32", "TRL, bf16", "to fp32", "to bf16"], rows)
    yield "TRL is one process; verl starts Ray, a trainer, workers and a generation server."
    yield _source(result["command"], result)


def generation(result: dict[str, Any]) -> Iterable[str]:
    """The built-in generation engine beside vLLM's."""
    yield "## Generation on a processor, beside vLLM"
    yield "Tokens a second of the same weights and prompts with the same threads; above 1 the built-in engine is faster."
    rows, equal = [], []
    for model, precisions in result["models"].items():
        for precision, comparison in precisions.items():
            equal.append([f"`{model}`", precision, f"{comparison['greedy equal']} of {comparison['greedy of']}"])
            for load in comparison["tokens a second"].values():
                size = f"{load['responses']} × {load['tokens of each']} tokens"
                speeds = [f"{load[side]:,}" for side in ("builtin", "vLLM", "vLLM, compiled")]
                ratios = [f"{load[f'ratio to {side}']:.2f}" for side in ("vLLM", "vLLM, compiled")]
                rows.append([f"`{model}`", precision, size, *speeds, *ratios])
    yield table(
        ["model of", "precision", "responses", "built in", "vLLM", "vLLM, compiled", "to vLLM", "to compiled"], rows
    )
    yield "Greedy text on the held-out prompts; in bfloat16 the most likely tokens are often a rounding apart."
    yield table(["model of", "precision", "equal"], equal)
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    shared = ", which other programs used at the same time" if result["machine was shared"] else ""
    yield f"`python {result['command']}`, {result['date']}, {result['machine']}{shared}, {versions}."


def vllm_training(result: dict[str, Any]) -> Iterable[str]:
    """A training whose responses come from vLLM."""
    yield "## A training with verl's vLLM rollout on a processor"
    low, high = result["interval_of_the_rise"]
    rewards, agreement = result["reward of each step"], result["agreement, worst step"]
    yield table(
        ["", "seen"],
        [
            ["held-out accuracy", f"{result['before']:.2f} → {result['after']:.2f}, {result['rise']:+.2f} ({low:+.2f} to {high:+.2f})"],
            ["reward of each step", ", ".join(f"{value:.2f}" for value in rewards)],
            *([f"{name} of vLLM and trainer, worst step", f"{value:.4f}"] for name, value in agreement.items()),
            ["seconds of a step", ", ".join(f"{name} {value:.2f}" for name, value in result["seconds of a step"].items())],
        ],
    )  # fmt: skip
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    yield f"`python benchmarks/vllm_training.py`, {result['date']}, {result['machine']}, {versions}."


def quickstart_seeds(results: dict[str, Any]) -> Iterable[str]:
    """What the quick starts reach."""
    yield "## The quick starts"
    rows = []
    for experiment, seeds in results.items():
        for seed, run in seeds.items():
            low, high = run["interval_of_the_rise"]
            change = f"{run['before']:.2f} → {run['after']:.2f}, {run['rise']:+.2f} ({low:+.2f} to {high:+.2f})"
            rows.append(
                [
                    f"`{experiment}`",
                    seed,
                    change,
                    f"{run['seconds_of_training']:.0f} s",
                    f"{run['seconds_a_step']:.2f} s",
                ]
            )
    yield table(["experiment", "seed", "held-out accuracy", "training", "a step"], rows)
    yield "Where a step's time goes: seconds and share of each stage, medians over the steps and the seeds."
    medians = {name: _stages(seeds.values()) for name, seeds in results.items()}
    yield table(
        ["stage", *(f"`{experiment}`" for experiment in medians)],
        [[stage, *(f"{all_of[stage]:.2f} s, {all_of[stage] / all_of['step']:.0%}" for all_of in medians.values())]
         for stage in next(iter(medians.values()))],
    )  # fmt: skip
    yield _source("benchmarks/quickstart_seeds.py", run)


def _stages(runs: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Stage → seconds of a step, with what no stage takes as its rest."""
    runs = list(runs)
    found = {
        stage: statistics.median(run["seconds_of_stages"][stage] for run in runs)
        for stage in runs[0]["seconds_of_stages"]
    }
    step = statistics.median(run["seconds_a_step"] for run in runs)
    return found | {"the rest": max(0.0, step - sum(found.values())), "step": step}


def gpu_check(result: dict[str, Any]) -> Iterable[str]:
    """Where the time of a step goes on a GPU, and what has not been seen there."""
    yield "## On a GPU"
    yield gpu_table(result)
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    yield f"`{result['command']}`, {result['date']}, {'; '.join(result['GPUs'])}, {result['cores']} cores, {versions}."


def advantages(result: dict[str, Any]) -> Iterable[str]:
    """The harness's advantage functions beside verl's."""
    yield "## Advantage functions, 8,192 × 1,024"
    rows = [
        [
            f"`{name}`",
            f"{row['harness_ms']:.0f} ms",
            f"{row['verl_ms']:.0f} ms",
            f"{row['faster']:.1f} ×",
            f"{row['largest_difference']:.0e}",
        ]
        for name, row in result["table"].items()
    ]
    yield table(["function", "harness", "verl", "faster", "largest difference"], rows)
    yield _source(result["command"], result)


def cli_latency(result: dict[str, Any]) -> Iterable[str]:
    """How long a command takes to answer."""
    yield "## Commands"
    yield table(["command", "median"], [[f"`{name}`", f"{value:.2f} s"] for name, value in result["median_s"].items()])
    yield _source("benchmarks/cli_latency.py", result)


def sweep_planning(result: dict[str, Any]) -> Iterable[str]:
    """Planning a sweep."""
    yield "## Planning sweeps"
    rows = [
        [
            f"{row['runs']:,}",
            f"{row['plan_s']:.1f} s",
            f"{row['submit_s']:.2f} s",
            f"{row['status_s']:.2f} s",
            f"{row['peak_mb']} MB",
        ]
        for row in result["harness"]
    ]
    yield table(["runs", "composed, checked, planned", "submitted to Slurm", "status", "memory"], rows)
    yield f"Hydra's own composition, without a check, takes {result['hydra']['s_a_point']:.3f} s a run: {result['hydra_to_harness']:.1f} times as long."
    yield _source("benchmarks/sweep_planning.py", result)


def compare_loading(result: dict[str, Any]) -> Iterable[str]:
    """Reading runs to compare them."""
    yield f"## Comparing {result['runs']:,} runs of {result['steps']} steps and {result['metrics']} metrics"
    rows = [
        [name, f"{result[key]['seconds']:.1f} s", f"{result[key]['peak_mb']} MB"]
        for name, key in (("read for the first time", "first"), ("again", "second"))
    ]
    yield table(["", "time", "memory"], rows)
    yield _source("benchmarks/compare_loading.py", result)


def record_cost(result: dict[str, Any]) -> Iterable[str]:
    """What writing the record costs."""
    yield "## The record"
    step, validation = result["step"], result["validation"]
    row = [f"{step[key]:.2f} ms" for key in ("median_ms", "p99_ms", "last_tenth_median_ms")]
    yield table(
        ["", "median", "99th percentile", "at the end", "size"],
        [
            [f"a step of {result['metrics']} metrics, {result['steps']:,} steps", *row, f"{step['bytes_a_step']:,} bytes"],
            [f"a validation of {validation['samples']} samples", f"{validation['ms']:.1f} ms", "", "",
             f"{validation['bytes_a_sample']:,} bytes a sample"],
        ],
    )  # fmt: skip
    yield _source(result["command"], result)


def tracking_overhead(result: dict[str, Any]) -> Iterable[str]:
    """What W&B costs a training, in whichever state it is."""
    yield "## W&B, working or failing"
    states = {"none": "not asked for", "ok": "works", "down": "is not there", "slow": "does not answer",
              "error": "fails (500)", "reject": "refuses the key (401)", "limit": "wants fewer requests (429)",
              "full": "is full (507)", "malformed": "answers no JSON", "reset": "breaks off"}  # fmt: skip
    yield "Ratios to the same training without W&B; its client is a process of its own, which these cores run too."
    rows = [
        [states[mode], f"{ratio['step_s']:.2f}", f"{ratio['last_record_s']:.2f}"]
        for mode, ratio in result["ratio_to_none"].items()
    ]
    yield table(["W&B", "a step", "command to last step"], rows)
    yield _source(result["command"], result)


def tracking_failures(result: dict[str, Any]) -> Iterable[str]:
    """What is left of W&B's failures, by kind of request and way of failing."""
    cases, worst = result["cases"].values(), result["worst"]
    lost = sum(bool(case["missing"] or case["lost"]) for case in cases)
    yield (
        f"Each kind of request in each way, {len(cases)} cases: starting took {worst['start_s']:.2f} s at most, recording a "
        f"step {worst['slowest_step_s'] * 1e3:.0f} ms, the end {worst['end_s']:.1f} s; {lost} lacked something in W&B after "
        "`harness sync`."
    )
    yield _source(result["command"], result)


SECTIONS = (
    step_overhead,
    peers,
    generation,
    vllm_training,
    quickstart_seeds,
    gpu_check,
    advantages,
    cli_latency,
    sweep_planning,
    compare_loading,
    record_cost,
    tracking_overhead,
    tracking_failures,
)


def page() -> str:
    """The whole page; what has not been measured yet is not on it."""
    parts = [HEAD.rstrip()]
    for section in SECTIONS:
        if (measured := RESULTS / f"{section.__name__}.json").is_file():
            parts += section(json.loads(measured.read_text()))
    return "\n\n".join(parts) + "\n"


def _seconds(*values: float) -> list[str]:
    return [f"{value:.2f} s" if value < 10 else f"{value:.0f} s" for value in values]


def _source(command: str, result: dict[str, Any]) -> str:
    return f"`python {command}`, {result['date']}, {result['machine']}."


if __name__ == "__main__":
    PAGE.write_text(page())
