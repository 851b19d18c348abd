"""The gloo checkpoint engine, as CheckpointEngineManager drives it, in threads instead of processes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from verl.checkpoint_engine.base import CheckpointEngineRegistry

from harness.backend.generation.checkpoint_engine import GlooCheckpointEngine

SOON = 30


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = {f"layer.{i}": torch.randn(7, i + 1, generator=generator) for i in range(9)}
    made["half"] = torch.randn(5, 3, generator=generator).to(torch.bfloat16)
    made["larger than a bucket"] = torch.randn(100, 11, generator=generator)
    made["strided"] = torch.randn(6, 4, generator=generator).t()
    return made


def engines(trainers, rollouts, **kwargs):
    make = CheckpointEngineRegistry.get("gloo")
    return (
        [make(is_master=rank == 0, timeout_seconds=SOON, **kwargs) for rank in range(trainers)],
        [make(timeout_seconds=SOON, **kwargs) for _ in range(rollouts)],
    )


async def receive(engine):
    return {name: weight.clone() async for name, weight in engine.receive_weights()}


def transfer(trainers, rollouts, sent):
    """One transfer: what each rollout worker received."""
    with ThreadPoolExecutor(len(trainers) + len(rollouts)) as pool:
        metadata = list(pool.map(lambda engine: engine.prepare(), [*trainers, *rollouts]))
        topologies = GlooCheckpointEngine.build_topology(len(trainers), len(rollouts), metadata)
        joined = [
            pool.submit(engine.init_process_group, **{key: values[place] for key, values in topology.items()})
            for group, topology in zip((trainers, rollouts), topologies, strict=True)
            for place, engine in enumerate(group)
        ]
        for join in joined:
            join.result(SOON)
        read = [iter(sent.items()) for _ in trainers]
        sending = [
            pool.submit(asyncio.run, engine.send_weights(own)) for engine, own in zip(trainers, read, strict=True)
        ]
        received = [pool.submit(asyncio.run, receive(engine)) for engine in rollouts]
        results = [future.result(SOON) for future in received]
        for future in sending:
            future.result(SOON)
    assert all(next(own, None) is None for own in read)  # producing weights is collective: every worker reads them all
    for engine in (*trainers, *rollouts):
        engine.finalize()
    return results


@pytest.mark.parametrize(("trainers", "rollouts"), [(1, 1), (2, 2)])
@pytest.mark.parametrize("bucket_size", [1000, 1 << 20])
def test_weights_arrive_whole_again_and_again(trainers, rollouts, bucket_size):
    groups = engines(trainers, rollouts, bucket_size=bucket_size)
    for step in range(2):
        sent = weights(step)
        for received in transfer(*groups, sent):
            assert list(received) == list(sent)
            for name, weight in sent.items():
                assert torch.equal(received[name], weight)
                assert received[name].dtype == weight.dtype


def test_a_missing_rollout_worker_is_an_error_not_a_hang():
    engine = GlooCheckpointEngine(bucket_size=1000, is_master=True, timeout_seconds=1)
    endpoint = engine.prepare()
    with pytest.raises(RuntimeError):
        engine.init_process_group(rank=0, world_size=2, endpoint=endpoint)
