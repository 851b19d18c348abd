"""Trainings: killed and resumed, on several GPUs, with vLLM, and one of each algorithm."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

from processes import finish, group, output, run

from gpu_checks.check import HARNESS, WARM_UP_STEPS, Check
from gpu_checks.figures import figures, last_step
from gpu_checks.record import version
from harness.config.catalogue import catalogue
from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder, new_run_id

SEVERAL_STEPS = 10


def learn(check: Check) -> dict[str, Any]:
    """Train with the built-in generation server, and be killed at a step that has no checkpoint."""
    with _training(check.training(check.steps, f"trainer.save_freq={check.save_every}")) as (process, folder):
        while process.poll() is None and last_step(folder) < check.kill_after:
            check.deadline.require()
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        code, step = process.wait(), last_step(folder)
    if code != -signal.SIGKILL or step >= check.steps:
        raise RuntimeError(f"it ended with exit {code} after step {step}, before it was killed: see {folder.log}")
    return {"run": str(folder.path), "killed after step": step}


def resume(check: Check) -> dict[str, Any]:
    """Go on with the run that `learn` has left, from its checkpoint to its end."""
    if "run" not in (left := check.parts.get("learn", {})):
        return {"not run": "there is no run that learn has left"}
    folder = RunFolder(Path(left["run"]))
    before = last_step(folder)
    if before >= check.steps:
        return {"not run": "the run is at its end already: learn comes first"}
    started = time.monotonic()
    if code := run([*HARNESS, "train", "--resume", str(folder.path)], check.deadline):
        raise RuntimeError(f"exit {code}: see {folder.log}")
    seconds = time.monotonic() - started
    steps = [record.step for record in read_metrics(folder.metrics)]
    if steps != list(range(check.steps + 1)):
        raise RuntimeError(f"its record holds the steps {steps}: see {folder.path}")
    return {
        "seconds": seconds,
        "steps before": before,
        **figures(folder, check.rise, after=check.save_every + WARM_UP_STEPS),
    }


def several(check: Check) -> dict[str, Any]:
    """Train on several GPUs of this machine, a worker and a generation server on each."""
    if check.gpus < 2:
        return {"not run": "one GPU" if check.device == "cuda" else "no GPU"}
    steps = min(check.steps, SEVERAL_STEPS)
    found = _whole(check, check.training(steps, "trainer.save_freq=-1", gpus=check.gpus))
    alone = check.parts.get("resume", {}).get("seconds of a step", {}).get("step")
    return {"GPUs": check.gpus, "ratio of a step": alone and found["seconds of a step"]["step"] / alone, **found}


def vllm(check: Check) -> dict[str, Any]:
    """Train with vLLM's rollout, where it is installed."""
    if not version("vllm"):
        return {"not run": "vllm is not installed"}
    return _whole(check, check.training(check.steps, "trainer.save_freq=-1", rollout="vllm"))


def algorithms(check: Check) -> dict[str, Any]:
    """Two steps of every algorithm, one run after the other: how each has ended."""
    names = [name for name in catalogue()["algorithm"] if name != "drgrpo"]  # the alias
    words = [f"algorithm={','.join(names)}", "trainer.test_freq=2", "name=gpu_check_algorithms"]
    sweep = [*HARNESS, "train", "-m", *check.training(2, "trainer.save_freq=-1"), *words]
    folder = output(sweep, check.deadline)[1].strip().rpartition("sweep: ")[2]
    if not folder:
        raise RuntimeError("the sweep was refused, or has no folder")
    _, status = output([*HARNESS, "sweep", "status", folder, "--json"], check.deadline)
    ended = {each["label"].rpartition("=")[2]: each["why"] or each["state"] for each in json.loads(status)["runs"]}
    if wrong := {name: why for name, why in ended.items() if why != "done"}:
        raise RuntimeError(f"of {len(names)} algorithms these did not end well: {wrong}; see {folder}")
    return {"done": sorted(ended)}


def _whole(check: Check, words: list[str]) -> dict[str, Any]:
    """A training from its beginning to its end."""
    with _training(words) as (process, folder):
        if code := finish(process, check.deadline):
            raise RuntimeError(f"exit {code}: see {folder.log}")
    return figures(folder, check.rise, after=WARM_UP_STEPS)


@contextmanager
def _training(words: list[str]) -> Iterator[tuple[Popen, RunFolder]]:
    """A training under way, with its folder, which a refused one never makes."""
    name = new_run_id()
    with group([*HARNESS, "train", *words, f"run_id={name}"]) as process:
        yield process, RunFolder(Path("outputs") / "gpu_check" / name)
