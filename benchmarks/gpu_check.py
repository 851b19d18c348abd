"""What a new CUDA machine can do: `make gpu-check`, at most 8 minutes, one GPU or several.

    python benchmarks/gpu_check.py [--only learn resume …] [--experiment quickstart] [overrides]

    doctor     what is installed, and what is missing
    attention  the packed attention's kernels against float32, one sequence at a time: error and speed
    learn      GRPO on SmolLM2-135M and reasoning-gym's arithmetic with the built-in generation server
    resume     the same run, killed with SIGKILL on its way, goes on from its checkpoint to its end
    vllm       the same with vLLM, where it is installed
    bare       the same through bare verl, for what the harness costs or saves a step
    algorithms two steps of every algorithm, one run after the other; only with --only algorithms

A part that fails is on record as that, and the others run. Writes benchmarks/results/gpu_check.json after each part.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import Any

from step_overhead import run_verl

from harness.config.catalogue import catalogue
from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder
from harness.records.status import read_status

RESULTS = Path(__file__).resolve().parent / "results" / "gpu_check.json"
STEPS = 24
SAVE_EVERY = 8
KILL_AFTER = 10  # steps, so that two are lost
RISE = 0.2  # of held-out accuracy, as a share of 1: far beyond what 64 held-out rows scatter
WARM_UP_STEPS = 2
LARGEST_ERROR = 0.02  # relative, in bfloat16
PART_SECONDS = 240.0
PARTS_OF_A_STEP = ("gen", "old_log_prob", "adv", "update_actor", "update_weights", "step")


def doctor(overrides: list[str]) -> dict[str, Any]:
    """Print `harness doctor` and keep whether anything is to be mended."""
    return {"nothing to mend": subprocess.run([*HARNESS, "doctor"], check=False).returncode == 0}


def attention(overrides: list[str]) -> dict[str, Any]:
    """Relative errors of outputs and gradients, and milliseconds for 16,384 tokens in sequences of 512."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    from harness.backend.cuda.attention import packed_attention

    def tensors(tokens: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        def drawn(heads: int) -> torch.Tensor:
            return torch.randn((1, heads, tokens, 64), device="cuda", dtype=dtype, requires_grad=True)

        return drawn(9), drawn(3), drawn(3)

    layer = torch.nn.Module()
    lengths = [70, 1, 33, 300]
    positions = torch.cat([torch.arange(length, device="cuda") for length in lengths])[None]
    packed = tensors(sum(lengths), torch.bfloat16)
    exact = [tensor.detach().float().requires_grad_() for tensor in packed]
    ours = packed_attention(layer, *packed, None, position_ids=positions)[0]
    apart = zip(*(tensor.split(lengths, 2) for tensor in exact), strict=True)
    theirs = torch.cat([scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True) for q, k, v in apart], 2)
    weights = torch.randn_like(theirs)
    (ours.transpose(1, 2).float() * weights).sum().backward()
    (theirs * weights).sum().backward()
    pairs = [(ours.transpose(1, 2), theirs)]
    for mine, other in zip(packed, exact, strict=True):
        assert mine.grad is not None
        assert other.grad is not None
        pairs.append((mine.grad, other.grad))
    errors: list[float] = [float((mine.float() - other).norm() / other.norm()) for mine, other in pairs]
    if max(errors) > LARGEST_ERROR:
        raise RuntimeError(f"packed sequences differ from each of them alone: relative errors {errors}")
    long = tensors(16_384, torch.bfloat16)
    positions = (torch.arange(16_384, device="cuda") % 512)[None]

    def milliseconds(attend: Callable[[], torch.Tensor]) -> float:
        times = []
        for _ in range(12):
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            attend().sum().backward()
            end.record()
            torch.cuda.synchronize()
            times.append(begin.elapsed_time(end))
        return statistics.median(times[WARM_UP_STEPS:])

    blocks = torch.arange(16_384, device="cuda") // 512
    mask = (blocks[:, None] == blocks[None]).tril()
    return {
        "error of output": errors[0],
        "largest error of gradients": max(errors[1:]),
        "packed ms": milliseconds(lambda: packed_attention(layer, *long, None, position_ids=positions)[0]),
        "sdpa with a mask ms": milliseconds(
            lambda: scaled_dot_product_attention(*long, attn_mask=mask[None, None], enable_gqa=True)
        ),
    }


def learn(overrides: list[str]) -> dict[str, Any]:
    """Train, and be killed at a step that has no checkpoint."""
    process, run = _start([*_builtin(STEPS), f"trainer.save_freq={SAVE_EVERY}", *overrides])
    while process.poll() is None and len(read_metrics(run.metrics)) <= KILL_AFTER:  # step 0 is the validation
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    steps = [record.step for record in read_metrics(run.metrics)]
    if max(steps) < KILL_AFTER:
        raise RuntimeError(f"it ended at step {max(steps)}: see {run.log}")
    return {"run": str(run.path), "killed after step": max(steps)}


def resume(overrides: list[str]) -> dict[str, Any]:
    """Go on with the run that `learn` has left."""
    run = RunFolder(Path(_results()["parts"]["learn"]["run"]))
    before = len(read_metrics(run.metrics))
    started = time.monotonic()
    subprocess.run([*HARNESS, "train", "--resume", str(run.path)], check=True, timeout=PART_SECONDS)
    steps = [record.step for record in read_metrics(run.metrics)]
    if steps != list(range(STEPS + 1)):
        raise RuntimeError(f"its record holds the steps {steps}")
    return {"seconds": time.monotonic() - started, "steps before": before - 1, **_figures(run)}


def vllm(overrides: list[str]) -> dict[str, Any]:
    """Train with vLLM's rollout."""
    if not _version("vllm"):
        return {"not run": "vllm is not installed"}
    words = [f"trainer.total_training_steps={STEPS}", "rollout=vllm", "trainer.save_freq=-1"]
    process, run = _start([*words, *overrides])
    if process.wait(PART_SECONDS):
        raise RuntimeError(f"exit {process.returncode}: see {run.log}")
    return _figures(run)


def bare(overrides: list[str]) -> dict[str, Any]:
    """Bare verl's median step beside the harness's."""
    steps = 10
    words = [
        *(*_builtin(steps), "trainer.test_freq=-1", "trainer.save_freq=-1"),
        "actor_rollout_ref.model.override_config.attn_implementation=sdpa",  # bare verl does not know ours
    ]
    with tempfile.TemporaryDirectory() as folder:
        theirs = run_verl([*overrides, *words], Path(folder))
    ours = _results()["parts"].get("resume", {}).get("seconds of a step", {}).get("step")
    return {"bare verl": theirs, "ratio of a step": ours and ours / theirs["step"]}


def algorithms(overrides: list[str]) -> dict[str, Any]:
    """A sweep over all of them, two steps each: how each run has ended."""
    names = [name for name in catalogue()["algorithm"] if name != "drgrpo"]  # the alias
    words = [f"algorithm={','.join(names)}", "trainer.total_training_steps=2", "trainer.test_freq=2"]
    sweep = [*HARNESS, "train", "-m", "name=gpu_check_algorithms", *overrides, *words, "trainer.save_freq=-1"]
    said = subprocess.run(sweep, stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    folder = said.rpartition("sweep: ")[2]
    status = subprocess.run([*HARNESS, "sweep", "status", folder, "--json"], stdout=subprocess.PIPE, check=False).stdout
    ended = {run["label"].rpartition("=")[2]: run["why"] or run["state"] for run in json.loads(status)["runs"]}
    if wrong := {name: why for name, why in ended.items() if why != "done"}:
        raise RuntimeError(f"of {len(names)} algorithms these did not end well: {wrong}; see {folder}")
    return {"done": sorted(ended)}


HARNESS = [sys.executable, "-m", "harness.cli"]
PARTS = (doctor, attention, learn, resume, vllm, bare)
ON_REQUEST = (algorithms,)


def _builtin(steps: int) -> list[str]:
    return [f"trainer.total_training_steps={steps}", "rollout=builtin"]


def _start(overrides: list[str]) -> tuple[subprocess.Popen, RunFolder]:
    """A training, and its folder once it has one."""
    root = Path("outputs") / "gpu_check"
    before = set(root.glob("*"))
    process = subprocess.Popen([*HARNESS, "train", "name=gpu_check", f"trainer.test_freq={SAVE_EVERY}", *overrides])
    while not (new := {folder for folder in root.glob("*") if (folder / "status.json").exists()} - before):
        if process.poll() is not None:
            raise RuntimeError(f"it ended with exit {process.returncode} before it had a folder")
        time.sleep(0.05)
    return process, RunFolder(new.pop())


def _figures(run: RunFolder) -> dict[str, Any]:
    """What a finished run has reached, and where the time of a step goes."""
    records = read_metrics(run.metrics)
    status = read_status(run.path)
    accuracy = {
        record.step: statistics.mean(values)
        for record in records
        if (values := [value for name, value in record.metrics.items() if name.startswith("val-core/")])
    }
    late = [record.metrics for record in records[-(STEPS - SAVE_EVERY - WARM_UP_STEPS) :]]

    def median(name: str) -> float | None:
        values = [metrics[name] for metrics in late if name in metrics]
        return statistics.median(values) if values else None

    rise = accuracy[max(accuracy)] - accuracy[min(accuracy)]
    if status.state != "done" or rise < RISE:
        raise RuntimeError(f"{status.state}, and accuracy rose by {rise:.2f}: see {run.path}")
    return {
        "accuracy": {str(step): value for step, value in accuracy.items()},
        "seconds of a step": {name: median(f"timing_s/{name}") for name in PARTS_OF_A_STEP},
        "tokens a second": median("perf/throughput"),
        "GPU memory, GiB": median("actor/perf/max_memory_allocated_gb"),
        "MFU of the update": median("perf/mfu/actor"),
        "probability, trainer - rollout": median("training/rollout_probs_diff_mean"),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _machine() -> dict[str, Any]:
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    smi = shutil.which(query[0]) and subprocess.run(query, capture_output=True, text=True, check=False).stdout
    packages = ("verl", "torch", "transformers", "ray", "vllm", "flash_attn")
    return {
        "date": str(date.today()),
        "GPUs": (smi or "").strip().splitlines(),
        "cores": os.cpu_count(),
        "Python": platform.python_version(),
        "versions": {name: version for name in packages if (version := _version(name))},
    }


def _results() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"parts": {}}


def main() -> None:
    """Run the parts one after the other, keep what each has shown, and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiment", default="quickstart")
    parser.add_argument("--only", nargs="+", choices=[part.__name__ for part in (*PARTS, *ON_REQUEST)])
    arguments, overrides = parser.parse_known_args()
    failed = []
    chosen = arguments.only or [part.__name__ for part in PARTS]
    for part in (part for part in (*PARTS, *ON_REQUEST) if part.__name__ in chosen):
        print(f"── {part.__name__}: {part.__doc__}", flush=True)
        started = time.monotonic()
        try:
            outcome = part([f"experiment={arguments.experiment}", *overrides])
        except Exception as error:  # noqa: BLE001 (the other parts run)
            outcome = {"failed": f"{type(error).__name__}: {error}"}
            failed.append(part.__name__)
        outcome["took, s"] = round(time.monotonic() - started, 1)
        results = _results() | {"command": "make gpu-check", **_machine()}
        results["parts"][part.__name__] = outcome
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        print(json.dumps(outcome, indent=2), flush=True)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
