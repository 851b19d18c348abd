"""`make gpu-check` on a CPU: what can be tried without a GPU, from the command to its record and table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from runs import environment

COMMAND = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu_check.py"
SMALL = (
    "device=cpu",
    "data.train_batch_size=8",
    "actor_rollout_ref.rollout.n=4",
    "actor_rollout_ref.actor.ppo_mini_batch_size=8",
    "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu=16",
    "data.val_max_samples=16",
)


def test_the_parts_that_need_no_gpu(tmp_path: Path) -> None:
    words = ["--experiment", "quickstart_tiny", "--steps", "6", "--rise", "-1", "--gpus", "2", "--minutes", "14"]
    words += ["--results", "seen.json", "--only", "attention", "learn", "resume", "several", "bare"]
    done = subprocess.run(
        [sys.executable, COMMAND, *SMALL, *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    parts = json.loads((tmp_path / "seen.json").read_text())["parts"]
    assert parts["attention"]["error of output"] < 0.02
    killed = parts["learn"]["killed after step"]
    assert 3 <= killed < 6
    assert parts["resume"]["steps before"] == killed
    assert list(parts["resume"]["accuracy"]) == ["0", "2", "4", "6"]
    assert all(value > 0 for value in parts["resume"]["seconds of a step"].values())
    assert parts["several"]["GPUs"] == 2, "workers, on a CPU"
    ours, theirs = parts["resume"]["seconds of a step"]["step"], parts["bare"]["bare verl"]["step"]
    assert parts["bare"]["ratio of a step"] == ours / theirs
    assert f"| learn, SIGKILL | killed after step {killed} |" in done.stdout
    assert "| `rollout=vllm` | unproven: not run |" in done.stdout
