"""Planning and submitting a thousand runs, beside Hydra's own composition as its stock launcher uses it.

    python benchmarks/sweep_planning.py [--runs 1000] [--hydra 20]

Each part is a process of its own. The submission is to a real Slurm on this machine (root, and the packages of
`python scripts/debian.py slurm`), which holds the array so that nothing runs. Hydra's stock launcher composes one point
after another, with ``load_sweep_config``, and checks none; as many as ``--hydra`` says are composed. Writes
benchmarks/results/sweep_planning.json.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from machine import machine

from harness.records.atomic import write_text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "sweep_planning.json"
ALGORITHMS = ("grpo", "dapo", "rloo", "remax", "dr_grpo")
RATES = ("1e-5", "3e-5", "1e-4", "3e-4")
SLURM = ("cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0", "cluster.extra=[--hold]")


def words(runs: int) -> list[str]:
    """A sweep of so many runs: algorithms, learning rates and seeds."""
    seeds = runs // (len(ALGORITHMS) * len(RATES))
    axes = (
        f"algorithm={','.join(ALGORITHMS)}",
        f"actor_rollout_ref.actor.optim.lr={','.join(RATES)}",
        f"seed=range(1,{seeds + 1})",
    )
    return ["experiment=quickstart_tiny", *SLURM, *axes]


def peak_mb() -> int:
    """The largest memory of this process, or of one that it started, in MB."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) // 1024


def plan(runs: int) -> dict[str, Any]:
    """`harness train -m`, in parts, and `harness sweep status` of it."""
    from harness.launch.sweep.commands import sweep_cancel, sweep_status
    from harness.launch.sweep.prepare import make_sweep
    from harness.launch.sweep.start import submit_runs

    start = time.perf_counter()
    sweep = make_sweep(words(runs))
    planned = time.perf_counter()
    submit_runs(sweep, sweep.plan(), sweep.plan().runs)
    submitted = time.perf_counter()
    sweep_status(str(sweep.path))
    asked = time.perf_counter()
    sweep_cancel(str(sweep.path), [])
    return {
        "runs": len(sweep.plan().runs),
        "plan_s": round(planned - start, 2),
        "submit_s": round(submitted - planned, 2),
        "status_s": round(asked - submitted, 2),
        "peak_mb": peak_mb(),
    }


def hydra(points: int) -> dict[str, Any]:
    """What Hydra's launchers do with each job of a sweep before it is sent, without a check of it."""
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.types import RunMode

    from harness.config.compose import ROOT as NAME
    from harness.config.compose import _prepare_hydra
    from harness.config.tree import config_folders
    from harness.launch.sweep.points import expand

    folders = config_folders()
    _prepare_hydra(folders)
    every = expand(words(1000))
    chosen = every[:: len(every) // points][:points]
    with initialize_config_dir(config_dir=str(folders[0]), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        start = time.perf_counter()
        master = loader.load_configuration(NAME, [], RunMode.MULTIRUN)
        for point in chosen:
            loader.load_sweep_config(master, list(point.words))
    seconds = time.perf_counter() - start
    return {"points": len(chosen), "s_a_point": round(seconds / len(chosen), 3), "peak_mb": peak_mb()}


def in_process(part: str, number: int, folder: Path, env: dict[str, str]) -> dict[str, Any]:
    """A part in a fresh process."""
    command = [sys.executable, __file__, "--part", part, "--number", str(number)]
    done = subprocess.run(command, cwd=folder, env=os.environ | env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def cluster(folder: Path) -> contextlib.AbstractContextManager[dict[str, str]]:
    """The tests' Slurm."""
    spec = importlib.util.spec_from_file_location("slurm_cluster", ROOT / "tests/integration/slurm_cluster.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if why := module.is_possible():
        sys.exit(why)
    return module.slurm_cluster(folder)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--hydra", type=int, default=20)
    parser.add_argument("--part", choices=["plan", "hydra"])
    parser.add_argument("--number", type=int)
    given = parser.parse_args()
    if given.part:
        print(json.dumps((plan if given.part == "plan" else hydra)(given.number)))
        return
    with tempfile.TemporaryDirectory() as name, cluster(Path(name) / "slurm") as env:
        project = Path(name) / "project"
        project.mkdir()
        small = in_process("plan", given.runs // 10, project, env)
        large = in_process("plan", given.runs, project, env)
        theirs = in_process("hydra", given.hydra, project, env)
    ours = large["plan_s"] / large["runs"]
    result = {
        "harness": [small, large],
        "hydra": theirs,
        "hydra_to_harness": round(theirs["s_a_point"] / ours, 1),
        "machine": machine(),
        "date": str(date.today()),
    }
    write_text(RESULTS, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
