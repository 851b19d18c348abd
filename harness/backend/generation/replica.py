"""The built-in server as a verl rollout replica: where its Ray actor runs, under which name, on which device."""

from __future__ import annotations

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from verl.plugin.platform import get_platform
from verl.utils.device import get_device_name, get_resource_name
from verl.workers.rollout import base as rollout_base
from verl.workers.rollout.replica import RolloutReplica, RolloutReplicaRegistry

from harness.backend.generation.options import ROLLOUT_NAME
from harness.errors import ConfigurationError


def register_generation() -> None:
    """Makes ``rollout.name=builtin`` known to verl in this process; the ``verl.plugins`` entry point calls it.

    The checkpoint engine for ``trainer_mode=separate_async`` registers itself when verl imports
    ``rollout.checkpoint_engine.custom_backend_module=harness.backend.generation.checkpoint_engine``, verl's own way of
    loading one: importing it here would pull half of verl into every process that imports verl.
    """
    RolloutReplicaRegistry.register(ROLLOUT_NAME, lambda: BuiltinReplica)
    rollout_base._ROLLOUT_REGISTRY[(ROLLOUT_NAME, "async")] = "harness.backend.generation.adapter.BuiltinAdapter"


def server_name(replica_rank: int, kind: str = "", suffix: str = "") -> str:
    """Name of a server's Ray actor; standalone replicas have ranks of their own, so names never collide.

    Args:
        replica_rank: Rank among all replicas of the run.
        kind: "reward" or "teacher" for models that are not the policy.
        suffix: verl's name suffix, for several models of one kind.
    """
    return "_".join(part for part in (ROLLOUT_NAME, "server", kind, str(replica_rank), suffix) if part)


class BuiltinReplica(RolloutReplica):
    """One built-in server beside one worker: a training worker (hybrid) or a checkpoint-engine worker (standalone)."""

    async def launch_servers(self) -> None:
        """Starts the server on its worker's node, on its worker's GPU where there is one.

        Raises:
            ConfigurationError: More than one device a replica was asked for, or the server refuses its options.
        """
        if self.world_size != 1:
            raise ConfigurationError(
                f"rollout=builtin runs a replica on one device, and {self.world_size} were asked for",
                "set tensor_model_parallel_size, data_parallel_size and pipeline_model_parallel_size of "
                "actor_rollout_ref.rollout to 1, or choose rollout=vllm",
            )
        node, device = await self.workers[0].__ray_call__.remote(_placement)
        visible = device if get_device_name() == "cuda" else None
        kind = "reward" if self.is_reward_model else "teacher" if self.is_teacher_model else ""
        name = server_name(self.replica_rank, kind, self.name_suffix.strip("_"))
        server = self._start(name, node, visible)
        await server.ready.remote()
        self.servers = [server]
        self._server_handle = server
        self._server_address = name  # verl's load balancer tells servers apart by address

    def _start(self, name: str, node: str, visible: str | None) -> Any:
        from harness.backend.generation.server import BuiltinServer

        # The worker holds the device's Ray resource; the server shares it, so Ray must not hide the device from it.
        platform = get_platform()
        environment = {**dict.fromkeys(platform.ray_noset_envvars(), "1"), **platform.rollout_env_vars()}
        # Without an environment of its own the server starts in a process that Ray has ready.
        options = {} if visible is None else {"runtime_env": {"env_vars": environment}}
        return (
            ray.remote(BuiltinServer)
            .options(
                name=name,
                num_cpus=0,
                max_concurrency=self.max_concurrency,
                scheduling_strategy=NodeAffinitySchedulingStrategy(node_id=node, soft=False),
                **options,
            )
            .remote(self.config, self.model_config, self.rollout_mode, self.replica_rank, visible)
        )


def _placement(worker: Any) -> tuple[str, str]:
    """Node and accelerator of the worker it runs in."""
    context = ray.get_runtime_context()
    return context.get_node_id(), context.get_accelerator_ids()[get_resource_name()][0]
