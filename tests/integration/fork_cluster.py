"""Workers of a small Ray cluster with a fork server; prints what they are, as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "harness.backend.plugin", "FORK_TEST": "driver's"}
os.environ["OMP_NUM_THREADS"] = "2"  # as every run sets it; else Ray does, to one

import ray

from harness.backend.fork.client import workers_forked


@ray.remote
class Worker:
    """Tells of its process."""

    def tell(self) -> dict:
        """What a new interpreter would have of its own."""
        imported = {"verl", "wave"} <= sys.modules.keys()  # what every run needs, and what this one asks for
        import numpy as np
        import torch

        return {
            "parent": os.getppid(),
            "imported": imported,
            "drawn": [float(np.random.random()), ray.ObjectID.from_random().hex()],  # noqa: NPY002
            "variables": [os.environ["FORK_TEST"], os.environ.get("OF_THIS_ONE", "")],
            "threads": torch.get_num_threads(),
            "title": Path("/proc/self/comm").read_text().strip(),
            "folder": str(Path.cwd()),
        }


def main() -> None:
    """Two forked workers, and one whose environment needs Ray's own starter."""
    with tempfile.TemporaryDirectory(prefix="hr-") as folder, workers_forked(folder, ["wave"]):
        ray.init(address="local", num_cpus=4, include_dashboard=False, _temp_dir=folder, logging_level="ERROR")
        with_variables = Worker.options(runtime_env={"env_vars": {"OF_THIS_ONE": "its"}}).remote()
        other = Worker.options(runtime_env={"py_executable": f"{sys.executable} -B"}).remote()
        print(json.dumps(ray.get([each.tell.remote() for each in (Worker.remote(), with_variables, other)])))
        ray.shutdown()


if __name__ == "__main__":
    main()
