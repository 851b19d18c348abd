"""A Ray cluster of its own with built-in generation servers and stand-in trainers; prints what happened as JSON.

Usage: generation_cluster.py FOLDER_OF_THE_MODEL RAY_FOLDER
"""

from __future__ import annotations

import asyncio
import json
import sys

import ray
import torch
from transformers import AutoModelForCausalLM
from verl.checkpoint_engine.base import CheckpointEngineManager, CheckpointEngineRegistry
from verl.single_controller.base import Worker
from verl.single_controller.base.decorator import Dispatch, register
from verl.single_controller.ray import RayClassWithInitArgs, RayResourcePool, RayWorkerGroup
from verl.workers.config import CheckpointEngineConfig, HFModelConfig, RolloutConfig
from verl.workers.rollout.replica import get_rollout_replica_class

from harness.backend.generation.adapter import BuiltinAdapter

ENGINE_MODULE = "harness.backend.generation.checkpoint_engine"
GREEDY = {"temperature": 0, "top_k": -1, "top_p": 1.0, "repetition_penalty": 1.0, "logprobs": True}


class StandInTrainer(Worker):
    """Has a model, and sends its weights the way verl's training worker does."""

    def __init__(self, folder: str, config: RolloutConfig, model_config: HFModelConfig) -> None:
        super().__init__()
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.adapter = BuiltinAdapter(config, model_config, None)
        __import__(ENGINE_MODULE)
        self.checkpoint_engine = CheckpointEngineRegistry.new("gloo", bucket_size=1 << 16, is_master=self.rank == 0)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL, blocking=False)
    async def update_weights(self, global_steps: int, mode: str) -> None:
        if mode != "naive":
            await self.checkpoint_engine.send_weights(self.model.state_dict().items(), global_steps)
            return
        await self.adapter.resume(tags=["weights"])
        await self.adapter.update_weights(self.model.state_dict().items(), global_steps=global_steps)
        await self.adapter.resume(tags=["kv_cache"])
        return

    @register(dispatch_mode=Dispatch.DP_COMPUTE, blocking=False)
    def execute_checkpoint_engine(self, method: str, *args, **kwargs):
        return getattr(self.checkpoint_engine, method)(*args, **kwargs)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)
    def double(self) -> None:
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.mul_(2)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL, blocking=False)
    async def send_nonsense(self) -> None:
        await self.adapter.update_weights(iter([("nonsense", torch.zeros(1))]))


def configs(folder: str, backend: str) -> tuple[RolloutConfig, HFModelConfig]:
    engine = CheckpointEngineConfig(backend=backend, custom_backend_module=ENGINE_MODULE)
    rollout = RolloutConfig(
        name="builtin",
        dtype="float32",
        tensor_model_parallel_size=1,
        n_gpus_per_node=1,
        prompt_length=16,
        response_length=48,
        checkpoint_engine=engine,
    )
    return rollout, HFModelConfig(path=folder, load_tokenizer=False)


async def text(server, prompt: list[int]) -> tuple[list[int], int]:
    output = await server.generate.remote(
        prompt_ids=prompt, sampling_params={**GREEDY, "max_tokens": 8}, request_id="x", image_data=None
    )
    return output.token_ids, output.extra_fields["global_steps"]


async def failure(call) -> list[str]:
    """Names of the error's classes and its message, as the caller sees them."""
    try:
        await call
    except Exception as error:
        return [*(kind.__name__ for kind in type(error).__mro__), str(error)]
    return []


async def hybrid(folder: str, trainers: RayWorkerGroup) -> dict:
    """Two training workers, a server beside each."""
    rollout, model = configs(folder, "naive")
    make = get_rollout_replica_class("builtin")
    replicas = [make(rank, rollout, model, gpus_per_node=1) for rank in range(2)]
    await asyncio.gather(*[replica.init_hybrid(trainers) for replica in replicas])
    servers = [replica.server_handle for replica in replicas]
    seen = {"addresses": [replica.server_address for replica in replicas]}
    seen["before weights"] = await failure(text(servers[0], [5, 6]))
    await asyncio.gather(*[replica.sleep() for replica in replicas])
    await asyncio.gather(*trainers.update_weights(global_steps=1, mode="naive"))
    seen["first"] = [await text(server, [5, 6]) for server in servers]
    trainers.double()
    await asyncio.gather(*trainers.update_weights(global_steps=2, mode="naive"))
    seen["second"] = [await text(server, [5, 6]) for server in servers]
    requests = [
        {"prompt_ids": [5, i], "sampling_params": {**GREEDY, "temperature": 1, "seed": i}} for i in range(3, 40)
    ]
    batches = [await servers[0].generate_batch.remote(requests) for _ in range(3)]
    seen["equal batches"] = all(batch == batches[0] for batch in batches)
    seen["wrong parameter"] = await failure(
        servers[0].generate.remote(prompt_ids=[5], sampling_params={"min_p": 0.5}, request_id="x")
    )
    seen["nonsense"] = await failure(trainers.send_nonsense()[0])
    return seen


async def standalone(folder: str, trainers: RayWorkerGroup) -> dict:
    """A server on a slot of its own, which gets its weights over gloo, as in trainer_mode=separate_async."""
    rollout, model = configs(folder, "gloo")
    replica = get_rollout_replica_class("builtin")(2, rollout, model, gpus_per_node=1)
    await replica.init_standalone()
    manager = CheckpointEngineManager(rollout.checkpoint_engine, trainers, [replica])
    seen = {"address": replica.server_address}
    for step in (3, 4):
        await asyncio.to_thread(manager.update_weights, step)
        seen[f"step {step}"] = await text(replica.server_handle, [5, 6])
        trainers.double()
    await replica.abort_all_requests(reject_request=True)
    seen["rejected"] = await text(replica.server_handle, [5, 6])
    await replica.abort_all_requests()
    waiting = asyncio.create_task(text(replica.server_handle, [5, 6]))
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    seen["answered while paused"] = len(done)
    await replica.resume_generation()
    seen["resumed"] = await waiting
    return seen


def main(folder: str, ray_folder: str) -> None:
    ray.init(
        address="local", num_cpus=8, num_gpus=3, include_dashboard=False, _temp_dir=ray_folder, log_to_driver=False
    )
    rollout, model = configs(folder, "naive")
    trainers = RayWorkerGroup(
        RayResourcePool([2], use_gpu=True, max_colocate_count=2),
        RayClassWithInitArgs(ray.remote(StandInTrainer), folder, rollout, model),
        device_name="cpu",
    )
    seen = {"hybrid": asyncio.run(hybrid(folder, trainers)), "standalone": asyncio.run(standalone(folder, trainers))}
    print(json.dumps(seen))
    ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
