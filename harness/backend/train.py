"""Runs a training in its own Ray cluster; the one door from the managers to verl."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import ray

from harness.backend.cluster import config_threads, ray_cluster
from harness.backend.task_runner import TaskRunner, frozen
from harness.records.provenance import add_threads
from harness.records.run_folder import RunFolder

if TYPE_CHECKING:
    from omegaconf import DictConfig

POLL_SECONDS = 0.25


def run_training(config: DictConfig, poll: Callable[[], None], announce: Callable[[str], None]) -> dict[str, Any]:
    """Train as the configuration says.

    Args:
        config: A resolved configuration whose ``run_dir`` exists.
        poll: Called several times a second while the training runs.
        announce: Told the stages that happen in this process.

    Returns:
        ``{"step": …, "total_steps": …}``.

    Raises:
        ray.exceptions.RayError: What ended the training; the cause is inside.
        NodeLost: A machine of a run over several is gone.
    """
    add_threads(RunFolder(config.run_dir), config_threads(config) if config.trainer.device == "cpu" else None)
    announce("starting Ray")
    with ray_cluster(config) as nodes:
        nodes.wait(poll)
        announce("starting the trainer")
        runner = ray.remote(num_cpus=1, max_restarts=0)(TaskRunner).remote(frozen(config))
        result = runner.run.remote()
        while not ray.wait([result], timeout=POLL_SECONDS)[0]:
            poll()
            nodes.check()
        poll()
        try:
            return ray.get(result)
        except ray.exceptions.RayError as error:
            nodes.explain(error)
            raise
