"""Interrupts a training at random moments by killing one of its processes, until it has come to its end."""

from __future__ import annotations

import random
import re
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from runs import SHORT, command, environment

from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder
from harness.records.stages import read_stages
from harness.records.status import read_status

# a kind of victim → the names its processes bear; the driver is the process that was started
VICTIMS = {
    "driver": (),
    "task runner": ("ray::TaskRunner",),
    "workers": ("ray::",),
    "Ray": ("raylet", "gcs_server"),
}
ENDING_SECONDS = 150.0  # for a driver whose training was killed: Ray takes a while to notice
CLOCKS = ("timing", "perf/", "mfu")  # numbers of the clock, in which no two runs agree


@dataclass
class Interruption:
    """What was killed, when, and what was left.

    Attributes:
        victim: A kind of `VICTIMS`.
        name: The process's name.
        after: Seconds since the command was started.
        code: The command's exit code; negative for a signal.
        step: The last recorded step.
        saved: The last whole checkpoint.
        begun: The step it had begun from; None where it had not come so far.
    """

    victim: str
    name: str
    after: float
    code: int
    step: int
    saved: int
    begun: int | None


def words(steps: int, seed: int) -> list[str]:
    """A training that saves after every second step."""
    return [
        *SHORT, f"trainer.total_training_steps={steps}", f"trainer.test_freq={steps}", "trainer.save_freq=2",
        "trainer.max_actor_ckpt_to_keep=3", f"seed={seed}",
    ]  # fmt: skip


def undisturbed(folder: Path, given: list[str]) -> RunFolder:
    """The same training without an interruption."""
    subprocess.run(
        command("train", *given, "run_id=whole"), cwd=folder, env=environment(), check=True, capture_output=True
    )
    return RunFolder.open(folder / "outputs" / "quickstart_tiny" / "whole")


def interrupted(
    folder: Path, given: list[str], most: int, longest: float, draw: random.Random
) -> tuple[RunFolder, list[Interruption]]:
    """Start a training, kill and resume it until it is done.

    Args:
        folder: The project.
        given: The words of the training.
        most: Interruptions at most; what goes on after them is left alone.
        longest: Seconds within which a process is killed after a start, drawn uniformly.
        draw: The source of randomness.

    Returns:
        The run, and what was done to it. It may have ended before as many interruptions.
    """
    run_id = f"interrupted-{draw.randrange(16**6):06x}"
    run = RunFolder(folder / "outputs" / "quickstart_tiny" / run_id)
    made: list[Interruption] = []
    first = command("train", *given, f"run_id={run_id}")
    while True:
        known = len(_beginnings(run))
        process = subprocess.Popen(
            command("train", "--resume", str(run.path)) if run.config.is_file() else first, cwd=folder, env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if len(made) < most:
            victim = draw.choice(sorted(VICTIMS))
            killed = _kill_one(process, victim, draw.uniform(0, longest), draw)
        else:
            victim, killed = "", None
        _, said = process.communicate(timeout=ENDING_SECONDS if killed else 900)
        if killed:
            reached = _step(run), run.last_checkpoint() or 0, next(iter(_beginnings(run)[known:]), None)
            made.append(Interruption(victim, *killed, process.returncode, *reached))
        elif process.returncode == 0:
            return run, made
        else:
            raise AssertionError(f"it ended by itself with {process.returncode}: {said}")
        if read_status(run).state == "done":
            return run, made


def _kill_one(
    process: subprocess.Popen[str], victim: str, after: float, draw: random.Random
) -> tuple[str, float] | None:
    """Kill a process of this kind; the first that is there from this moment on. None if the command ends before."""
    start = time.monotonic()
    while process.poll() is None:
        passed = time.monotonic() - start
        found = _alive(process.pid, VICTIMS[victim]) if passed >= after else []
        if found:
            chosen = draw.choice(found)
            name = "driver" if victim == "driver" else chosen.name()
            chosen.kill()
            return name, round(passed, 1)
        time.sleep(0.05)
    return None


def _alive(pid: int, names: tuple[str, ...]) -> list[psutil.Process]:
    try:
        driver = psutil.Process(pid)
        if not names:
            return [driver]
        children = driver.children(recursive=True)
        return [child for child in children if " ".join(child.cmdline()[:1]).rpartition("/")[2].startswith(names)]
    except psutil.NoSuchProcess:
        return []


def _step(run: RunFolder) -> int:
    return max((record.step for record in read_metrics(run.metrics)), default=0) if run.metrics.is_file() else 0


def _beginnings(run: RunFolder) -> list[int]:
    """The step from which each start so far has begun to train."""
    said = (re.match(r"resuming from step (\d+)|starting from", entry.stage) for entry in read_stages(run.stages))
    return [int(match[1] or 0) for match in said if match]


def numbers(run: RunFolder) -> dict[int, dict[str, Any]]:
    """Every training step's numbers, the clock's aside.

    A validation alone is no step's line: a resume validates where it begins, whether that step was logged or not.
    """
    return {
        record.step: {name: value for name, value in record.metrics.items() if not any(mark in name for mark in CLOCKS)}
        for record in read_metrics(run.metrics)
        if not record.is_validation_only
    }


def weights(run: RunFolder, step: int) -> dict[str, Any]:
    """The tensors of a checkpoint's model."""
    import torch

    (file,) = (run.checkpoints / f"global_step_{step}" / "actor").glob("model_world_size_1_rank_0.pt")
    return torch.load(file, map_location="cpu", weights_only=False)


def differences(run: RunFolder, whole: RunFolder, steps: int) -> list[str]:
    """What an interrupted run has otherwise than one that was not: numbers of any step, or a weight of the end."""
    import torch

    ours, theirs = numbers(run), numbers(whole)
    found = [
        f"step {step}: {name}" for step in ours for name in theirs[step] if ours[step].get(name) != theirs[step][name]
    ]
    mine, other = weights(run, steps), weights(whole, steps)
    found += [f"weights: {name}" for name in other if not torch.equal(_local(mine[name]), _local(other[name]))]
    return found


def _local(tensor: Any) -> Any:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def without_record(run: RunFolder, steps: int) -> list[int]:
    """Steps without a line: verl saves before it logs, and a kill between the two leaves a step without one."""
    return sorted(set(range(1, steps + 1)) - numbers(run).keys())


def as_rows(made: list[Interruption]) -> list[dict[str, Any]]:
    """For JSON."""
    return [asdict(each) for each in made]
