"""The parts in their order, and how one is taken, whatever becomes of it."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import TimeOver, output, run
from step_overhead import run_verl

from gpu_checks.check import HARNESS, Check
from gpu_checks.trainings import algorithms, learn, resume, several, vllm
from harness.config.compose import compose_config, resolve
from harness.prepare import prepare_all

BARE_STEPS = 10


def doctor(check: Check) -> dict[str, Any]:
    """Print `harness doctor`, and keep whether anything is to be mended."""
    return {"nothing to mend": run([*HARNESS, "doctor"], check.deadline) == 0}


def attention(check: Check) -> dict[str, Any]:
    """Packed attention: relative errors, and milliseconds for 16,384 tokens in sequences of 512."""
    script = Path(__file__).with_name("kernels.py")  # a process of its own, whose GPU memory is free afterwards
    code, said = output([sys.executable, str(script), check.device], check.deadline)
    if code:
        raise RuntimeError(f"exit {code}: its own message is above")
    return json.loads(said.strip().splitlines()[-1])


def bare(check: Check) -> dict[str, Any]:
    """Train through bare verl, for what the harness costs or saves a step."""
    words = [*check.training(min(check.steps, BARE_STEPS), "trainer.save_freq=-1"), "trainer.test_freq=-1"]
    if check.device == "cuda":  # bare verl does not know ours
        words.append("actor_rollout_ref.model.override_config.attn_implementation=sdpa")
    prepare_all(resolve(compose_config(words)), print)
    with tempfile.TemporaryDirectory() as folder:
        theirs = run_verl(words, Path(folder), check.deadline)
    ours = check.parts.get("resume", {}).get("seconds of a step", {}).get("step")
    return {"bare verl": theirs, "ratio of a step": ours and ours / theirs["step"]}


Part = Callable[[Check], dict[str, Any]]
PARTS: dict[str, Part] = {part.__name__: part for part in (doctor, attention, learn, resume, several, vllm, bare)}
ON_REQUEST: dict[str, Part] = {algorithms.__name__: algorithms}


def take(part: Part, check: Check) -> dict[str, Any]:
    """What a part has shown, or ``failed``, ``ended`` (by the deadline) or ``not run``; and the seconds it took."""
    started = time.monotonic()
    try:
        outcome = part(check) if check.deadline.left() else {"not run": "time was over"}
    except TimeOver:
        outcome = {"ended": f"time was over after {time.monotonic() - started:.0f} s of it"}
    except (Exception, SystemExit) as error:  # noqa: BLE001 (the other parts run)
        outcome = {"failed": f"{type(error).__name__}: {error}"}
    return outcome | {"took, s": round(time.monotonic() - started, 1)}
