"""Ray for one run: a private cluster that is gone when the run is, or one that the user names.

Every private cluster has its own temporary folder and ports, so that several runs on one machine do not meet, and
nothing is left of it afterwards: no process, no socket, no folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
from omegaconf import DictConfig, OmegaConf

from harness.backend.fork.client import workers_forked
from harness.backend.host_memory import object_store_bytes, require_memory
from harness.backend.leftovers import processes_ended, temporary_folder
from harness.backend.nodes import Nodes
from harness.backend.ray_start import signals_kept, start_ray
from harness.records import signs, stacks
from harness.records.meeting import Meeting

LOGICAL_CPUS = 32  # Ray's scheduling slots on a CPU machine; the processes take turns, so they need not be cores
OBJECT_STORE_BYTES = 512 * 2**20  # batches travel through TransferQueue, not through Ray's object store
VLLM_SERVER = "verl.workers.rollout.vllm_rollout.vllm_async_server"  # with vLLM; most workers of such a run import it


@contextlib.contextmanager
def ray_cluster(config: DictConfig) -> Iterator[Nodes]:
    """Ray for the body; a private cluster unless ``ray_kwargs.ray_init.address`` names one.

    Yields:
        Its nodes. Where the run has several, those that are not this one have been asked to join.

    Raises:
        TrainingError: Ray does not start.
    """
    settings = OmegaConf.to_container(config.ray_kwargs.ray_init, resolve=True)
    environment = worker_environment(config)
    if settings.get("address"):
        with tempfile.TemporaryDirectory(prefix="hs-") as folder, _environment({stacks.FOLDER: folder}):
            runtime_env = {key: value for key, value in (settings.pop("runtime_env", None) or {}).items() if value}
            runtime_env["env_vars"] = {**environment, stacks.FOLDER: folder, **runtime_env.get("env_vars", {})}
            with _connected(runtime_env=runtime_env, **settings):
                yield Nodes()
        return
    settings.pop("runtime_env", None)
    nodes = Nodes(Meeting.from_environment())
    local = _local_settings(config, settings, nodes)
    with (
        _environment(environment),
        temporary_folder() as (folder, note_for_janitor),
        _environment({stacks.FOLDER: _made(f"{folder}/stacks")}),
        processes_ended() as note_processes,
        _forked(config, folder),
        _connected(address="local", _temp_dir=folder, **local),
    ):
        note_for_janitor()
        nodes.invite(local, environment)
        try:
            yield nodes
        finally:
            nodes.dismiss()
            note_processes()


@contextlib.contextmanager
def _forked(config: DictConfig, folder: str) -> Iterator[None]:
    """Forked workers where they are asked for, on a CPU: what has looked at a GPU cannot be forked."""
    if config.trainer.device != "cpu" or not config.cluster.get("fork_workers", True):
        yield
        return
    modules = (VLLM_SERVER,) if config.actor_rollout_ref.rollout.name == "vllm" else ()
    with contextlib.ExitStack() as stack:
        with signals_kept():
            stack.enter_context(workers_forked(folder, modules))
        yield


def worker_environment(config: DictConfig) -> dict[str, str]:
    """Variables that every process of a run needs."""
    threads = str(config_threads(config))
    environment = {
        "VERL_USE_EXTERNAL_MODULES": "harness.backend.plugin",  # a plugin that fails to load ends the process
        "TOKENIZERS_PARALLELISM": "true",
        "RAY_DEDUP_LOGS": "0",
        "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        "PYTHONHASHSEED": str(config.seed % 2**32),
        "PYTHONUNBUFFERED": "1",
        signs.RUN: str(config.run_dir),
        # a user's own components lie beside their conf/
        "PYTHONPATH": os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH")))),
    }
    if config.cluster.launcher == "debug":
        environment["RAY_DEBUG"] = "legacy"  # breakpoint() is pdb here; in a worker, a port that `nc` talks to
    if config.trainer.device == "cpu":
        return environment | {
            "VERL_PLATFORM": "cpu",
            "VERL_ENGINE_DEVICE": "cuda",
            "HARNESS_CPU_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            # a thread that waits for the other spins for a moment only: beside other work on the same cores
            # libgomp's patience, a millisecond each time, makes a training three times as slow; alone nothing is lost
            "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000"),
        }
    from verl.trainer.constants_ppo import get_ppo_ray_runtime_env

    return {key: str(value) for key, value in get_ppo_ray_runtime_env(config)["env_vars"].items()} | environment


def config_threads(config: DictConfig) -> int:
    """Threads of each process that computes: the cores shared among the training workers."""
    if given := os.environ.get("HARNESS_CPU_THREADS"):
        return int(given)
    cores = len(os.sched_getaffinity(0))
    here = 1 if Meeting.from_environment() else config.trainer.nnodes
    return max(1, cores // (config.trainer.n_gpus_per_node * here))


def _local_settings(config: DictConfig, settings: dict[str, Any], nodes: Nodes) -> dict[str, Any]:
    require_memory()
    defaults: dict[str, Any] = {"include_dashboard": False, "configure_logging": True, "logging_level": logging.WARNING}
    if config.trainer.device == "cpu":
        slots = config.trainer.n_gpus_per_node * (1 if nodes.meeting else config.trainer.nnodes)
        rollout = config.actor_rollout_ref.rollout
        if config.trainer.v1.trainer_mode == "separate_async":
            slots += rollout.n_gpus_per_node * rollout.nnodes
        defaults |= {"num_gpus": slots, "num_cpus": LOGICAL_CPUS + 4 * slots, "object_store_memory": OBJECT_STORE_BYTES}
    elif nodes.meeting:
        defaults |= {"num_gpus": config.cluster.gpus_per_node}
    if config.trainer.device != "cpu" and (store := object_store_bytes()):
        defaults["object_store_memory"] = store
    return defaults | nodes.settings() | {key: value for key, value in settings.items() if value is not None}


@contextlib.contextmanager
def _connected(**settings: Any) -> Iterator[None]:
    start_ray(settings)
    try:
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables that a local cluster's processes inherit; cheaper than Ray's runtime environments."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _made(folder: str) -> str:
    Path(folder).mkdir()
    return folder
