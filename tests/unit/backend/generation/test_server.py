"""verl's server protocol, without Ray: the class that becomes the actor, driven as verl drives it."""

from __future__ import annotations

import asyncio

import pytest
import torch
from verl.workers.config import HFModelConfig, RolloutConfig
from verl.workers.rollout.replica import RolloutMode, TokenOutput

from harness.backend.generation.server import BuiltinServer
from harness.backend.generation.weights import WeightSegment, write_weights
from harness.errors import ConfigurationError, TrainingError

#: What verl's agent loop sends.
SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
LONG = 100
SOON = 30


@pytest.fixture(scope="module")
def policy(make, tmp_path_factory):
    """A small policy and its folder."""
    pair = make("llama", torch.float32)
    folder = tmp_path_factory.mktemp("policy")
    pair.reference.save_pretrained(folder)
    return pair, folder


@pytest.fixture
def start(policy, monkeypatch):
    monkeypatch.setenv("HARNESS_CPU_THREADS", "1")
    servers = []

    def make_server(mode=RolloutMode.HYBRID, replica_rank=0, **changes):
        settings = {
            "name": "builtin",
            "dtype": "float32",
            "tensor_model_parallel_size": 1,
            "prompt_length": 20,
            "response_length": LONG,
            "ignore_eos": True,
        }
        config = RolloutConfig(**settings | changes)
        model = HFModelConfig(path=str(policy[1]), load_tokenizer=False)
        server = BuiltinServer(config, model, mode, replica_rank)
        servers.append(server)
        return server

    yield make_server
    for server in servers:
        server._service.close()


async def send_weights(server, policy, step=0):
    await server.begin_weight_update()
    segment = WeightSegment.attach(await server.weight_segment())
    write_weights(segment, policy[0].reference.state_dict().items())
    await server.finish_weight_update(step)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, SOON))


def test_a_training_steps_calls(start, policy):
    """The order of verl's synchronous trainer: sleep, resume, weights, resume, generate."""
    server = start()

    async def step():
        await server.sleep()
        early = asyncio.create_task(server.wake_up(tags=["weights"]))
        await send_weights(server, policy, step=3)
        await early
        await server.wake_up(tags=["kv_cache"])
        return await server.generate([5, 6, 7], dict(SAMPLING), "id")

    output = run(step())
    assert isinstance(output, TokenOutput)
    assert len(output.token_ids) == len(output.log_probs) == LONG
    assert output.stop_reason == "completed"
    assert output.extra_fields == {"global_steps": 3}


def test_greedy_text_is_the_policys(start, policy):
    server = start()

    async def generate():
        await send_weights(server, policy)
        return await server.generate([5, 6, 7], {"temperature": 0, "max_tokens": 8}, "id")

    wanted = policy[0].reference.generate(
        torch.tensor([[5, 6, 7]]), do_sample=False, max_new_tokens=8, eos_token_id=None, pad_token_id=0
    )
    output = run(generate())
    assert output.token_ids == wanted[0, 3:].tolist()
    assert output.log_probs is None


def test_checkpoint_weights_without_a_trainer(start):
    server = start(load_format="auto")
    assert len(run(server.generate([5], {"max_tokens": 4}, "id")).token_ids) == 4


def test_without_weights_generating_is_an_error(start):
    with pytest.raises(TrainingError, match="no complete weights"):
        run(start().generate([5], {}, "id"))


def test_a_batch_is_the_same_twice_and_per_seed(start, policy):
    requests = [
        {
            "prompt_ids": [5, 6 + i % 3],
            "sampling_params": {**SAMPLING, "max_tokens": 6, "seed": i % 4},
            "request_id": str(i),
        }
        for i in range(12)
    ]
    server = start()

    async def twice():
        await send_weights(server, policy)
        return [await server.generate_batch(requests) for _ in range(2)]

    first, second = run(twice())
    assert first == second
    assert len({tuple(output.token_ids) for output in first}) == 12  # 3 prompts × 4 seeds


def test_requests_without_a_seed_get_one_each_and_the_same_ones_next_time(start, policy):
    """The k-th response to a prompt: differs from the others, from another replica's, repeats in a new run."""

    async def texts(server):
        await send_weights(server, policy, step=1)
        outputs = await asyncio.gather(*[server.generate([5, 6], {"max_tokens": 8}, str(i)) for i in range(6)])
        return sorted(tuple(output.token_ids) for output in outputs)

    first = run(texts(start()))
    assert len(set(first)) == 6
    assert run(texts(start())) == first
    assert not set(run(texts(start(replica_rank=1)))) & set(first)
    assert not set(run(texts(start(seed=7)))) & set(first)


def test_abort_and_resume_as_the_asynchronous_trainers_do(start, policy):
    """What FullyAsyncLLMServerClient does: ask again with the prompt and what there is, for what is left."""
    server = start(response_length=LONG)
    params = {**SAMPLING, "temperature": 0}

    async def partial():
        await send_weights(server, policy, step=1)
        whole = await server.generate([5, 6, 7], dict(params), "id")
        running = asyncio.create_task(server.generate([5, 6, 7], dict(params), "id"))
        while not server._engine._tickets:
            await asyncio.sleep(0)
        await server.abort_all_requests()
        part = await running
        await server.release_kv_cache()
        resumed = asyncio.create_task(
            server.generate([5, 6, 7, *part.token_ids], {**params, "max_tokens": LONG - len(part.token_ids)}, "id")
        )
        await send_weights(server, policy, step=2)
        await server.resume_kv_cache()
        assert not resumed.done()
        await server.resume_generation()
        return whole, part, await resumed

    whole, part, rest = run(partial())
    assert part.stop_reason == "aborted"
    assert len(part.token_ids) < LONG
    assert part.extra_fields["global_steps"] == 1
    assert rest.extra_fields["global_steps"] == 2
    assert part.token_ids + rest.token_ids == whole.token_ids
    assert len(part.log_probs + rest.log_probs) == LONG


def test_rejecting_abort(start, policy):
    server = start()

    async def reject():
        await send_weights(server, policy)
        await server.abort_all_requests(reject_request=True)
        turned_away = await server.generate([5], {}, "id")
        await server.sleep()
        await server.wake_up()
        await server.resume_generation()
        return turned_away, await server.generate([5], {"max_tokens": 2}, "id")

    turned_away, after = run(reject())
    assert (turned_away.token_ids, turned_away.stop_reason) == ([], "aborted")
    assert len(after.token_ids) == 2


@pytest.mark.parametrize(("mode", "free"), [(RolloutMode.STANDALONE, True), (RolloutMode.HYBRID, False)])
def test_sleep_is_ignored_where_nothing_wakes_it_up(start, policy, mode, free):
    server = start(mode, free_cache_engine=free)

    async def sleep():
        await send_weights(server, policy)
        await server.sleep()
        return await server.generate([5], {"max_tokens": 2}, "id")

    assert len(run(sleep()).token_ids) == 2


def test_sleep_frees_the_cache(start, policy):
    server = start()

    async def sleep():
        await send_weights(server, policy)
        await server.generate([5], {"max_tokens": 2}, "id")
        assert server._engine._cache.keys.numel() > 0
        await server.sleep()

    run(sleep())
    assert server._engine._cache.keys.numel() == 0


def test_requests_that_arrive_during_a_weight_update_wait_for_the_new_weights(start, policy):
    server = start()

    async def update():
        await send_weights(server, policy, step=1)
        await server.begin_weight_update()
        waiting = asyncio.create_task(server.generate([5], {"max_tokens": 2}, "id"))
        await server._service.when_idle(lambda: None)
        assert not waiting.done()
        await server.finish_weight_update(2)
        return await waiting

    assert run(update()).extra_fields == {"global_steps": 2}


def test_an_abandoned_weight_update_leaves_an_error_and_no_garbage(start, policy):
    server = start()

    async def abandon():
        await send_weights(server, policy)
        await server.begin_weight_update()
        waiting = asyncio.create_task(server.generate([5], {}, "id"))
        await asyncio.sleep(0)
        await server.abandon_weight_update()
        assert (await waiting).stop_reason == "aborted"
        with pytest.raises(TrainingError, match="no complete weights"):
            await server.generate([5], {}, "id")
        await send_weights(server, policy)
        await server.resume_generation()
        return await server.generate([5], {"max_tokens": 2}, "id")

    assert len(run(abandon()).token_ids) == 2


def test_pictures_unknown_keys_and_unknown_options_are_refused(start, policy):
    server = start()

    async def refuse():
        await send_weights(server, policy)
        with pytest.raises(ConfigurationError, match="takes text only, and got image_data"):
            await server.generate([5], {}, "id", image_data=[object()], video_data=None)
        with pytest.raises(ConfigurationError, match="prompt"):
            await server.generate_batch([{"prompt_ids": [5], "sampling_params": {}, "prompt": "x"}])
        await server.start_profile()
        await server.stop_profile()
        await server.clear_kv_cache()
        return await server.ready()

    assert run(refuse())
    with pytest.raises(ConfigurationError, match="tensor_model_parallel_size=2"):
        start(tensor_model_parallel_size=2)
