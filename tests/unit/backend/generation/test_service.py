"""The engine's thread: who shares a batch with whom, who waits, and where an error goes."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import pytest

from harness.backend.generation.requests import GenerationRequest
from harness.backend.generation.service import GenerationService
from harness.errors import ConfigurationError

LONG = 90
SOON = 30  # seconds: a limit for what should happen at once


@pytest.fixture
def serve(llama):
    """Starts services on engines of the small model; steps can be held back and counted."""
    services = []

    def start(**limits):
        engine = llama.engine(**limits)
        service = GenerationService(engine)
        service.steps = []
        service.let_go = threading.Event()
        service.let_go.set()
        step = engine.step

        def counted():
            service.let_go.wait(SOON)
            finished = step()
            service.steps.append(len(engine._tickets))
            return finished

        engine.step = counted
        services.append(service)
        return service

    yield start
    for service in services:
        service.let_go.set()
        service.close()


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, SOON))


def requests_of(prompts, new=8):
    return [GenerationRequest(prompt, new, seed=index) for index, prompt in enumerate(prompts)]


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


def test_single_requests_share_batches_and_get_their_own_text(serve, llama, prompts):
    service = serve()
    requests = requests_of(prompts)

    async def all_at_once():
        return await asyncio.gather(*[service.generate(request) for request in requests])

    assert run(all_at_once()) == llama.engine().generate_batch(requests)
    assert max(service.steps) > len(prompts) // 2


def test_a_request_joins_the_running_batch(serve, prompts):
    service = serve()

    async def join():
        first = asyncio.create_task(service.generate(GenerationRequest(prompts[0], LONG)))
        await until(lambda: len(service.steps) > 3)
        second = await service.generate(GenerationRequest(prompts[1], 3))
        assert not first.done()
        return second, await first

    second, first = run(join())
    assert (len(first.token_ids), len(second.token_ids)) == (LONG, 3)
    assert 2 in service.steps


def test_a_batch_runs_alone_and_gives_the_same_bits_under_load(serve, make, prompts):
    """Single requests that come before, during and after it must not change a batch; float32, where they could."""
    import torch

    pair = make("llama", torch.float32)
    alone = pair.engine().generate_batch(requests_of(prompts))
    service = GenerationService(pair.engine())

    async def under_load():
        load = [asyncio.create_task(service.generate(GenerationRequest(prompts[3], 20, seed=i))) for i in range(5)]
        batch = asyncio.create_task(service.generate_batch(requests_of(prompts)))
        await asyncio.sleep(0)
        load += [asyncio.create_task(service.generate(GenerationRequest(prompts[4], 20, seed=i))) for i in range(5)]
        await asyncio.gather(*load)
        return await batch

    with contextlib.closing(service):
        for _ in range(3):
            assert run(under_load()) == alone


def test_an_empty_batch_is_no_work(serve):
    assert run(serve().generate_batch([])) == []


def test_abort_returns_partial_text_and_resuming_continues(serve, llama, prompts):
    service = serve(max_batch_size=2)
    request = GenerationRequest(prompts[0], LONG, temperature=0)
    whole = llama.engine().generate_batch([request])[0]

    async def abort():
        running = [asyncio.create_task(service.generate(request)) for _ in range(3)]
        await until(lambda: len(service.steps) > 3)
        assert await service.abort(reject=False) == 2
        first, second = await running[0], await running[1]
        late = asyncio.create_task(service.generate(GenerationRequest(prompts[1], 2)))
        await service.when_idle(lambda: None)
        assert not running[2].done()  # had not begun
        assert not late.done()
        service.release("abort")
        return first, second, await running[2], await late

    first, second, third, late = run(abort())
    for part in (first, second):
        assert part.stop_reason == "aborted"
        assert 0 < len(part.token_ids) < LONG
        assert part.token_ids == whole.token_ids[: len(part.token_ids)]
        assert len(part.log_probs) == len(part.token_ids)
    assert third == whole
    assert len(late.token_ids) == 2


def test_abort_ends_a_batch_too(serve, prompts):
    service = serve(max_batch_size=3)

    async def abort():
        batch = asyncio.create_task(service.generate_batch(requests_of(prompts, LONG)))
        await until(lambda: len(service.steps) > 2)
        await service.abort(reject=False)
        outputs = await batch
        service.release("abort")
        return outputs, await service.generate_batch(requests_of(prompts, 2))

    outputs, after = run(abort())
    assert {output.stop_reason for output in outputs} == {"aborted"}
    assert [len(output.token_ids) > 0 for output in outputs] == [True] * 3 + [False] * (len(prompts) - 3)
    assert {len(output.token_ids) for output in after} == {2}


def test_rejecting_abort_turns_requests_away_at_once(serve, prompts):
    service = serve()

    async def reject():
        service.hold("sleep")
        waiting = asyncio.create_task(service.generate(GenerationRequest(prompts[0], 4)))
        await asyncio.sleep(0)
        await service.abort(reject=True)
        turned_away = [await waiting, await service.generate(GenerationRequest(prompts[0], 4, logprobs=False))]
        turned_away += await service.generate_batch([GenerationRequest(prompts[0], 4)])
        service.release("sleep")
        service.release("abort")
        return turned_away, await service.generate(GenerationRequest(prompts[0], 4))

    turned_away, after = run(reject())
    assert [(output.token_ids, output.stop_reason) for output in turned_away] == [([], "aborted")] * 3
    assert [output.log_probs for output in turned_away] == [[], None, []]
    assert len(after.token_ids) == 4


def test_a_hold_lets_what_runs_finish(serve, prompts):
    service = serve()

    async def hold():
        running = asyncio.create_task(service.generate(GenerationRequest(prompts[0], LONG)))
        await until(lambda: len(service.steps) > 3)
        service.hold("weights")
        late = asyncio.create_task(service.generate(GenerationRequest(prompts[1], 2)))
        answer = await service.when_idle(lambda: (threading.current_thread().name, len(service.steps)))
        assert running.done() or (await running)
        assert not late.done()
        service.release("weights")
        await late
        return answer

    thread, steps = run(hold())
    assert thread == "generation"
    assert steps >= LONG - 1


def test_an_error_reaches_every_caller_as_itself_and_the_next_request_works(serve, prompts):
    service = serve()
    engine = service._engine
    logits = engine._logits

    def fail(*args):
        raise MemoryError("no room for the batch")

    async def broken():
        engine._logits = fail
        results = await asyncio.gather(
            *[service.generate(GenerationRequest(prompt, 4)) for prompt in prompts],
            service.generate_batch(requests_of(prompts)),
            return_exceptions=True,
        )
        engine._logits = logits
        return results, await service.generate(GenerationRequest(prompts[0], 4))

    results, after = run(broken())
    assert [(type(result), str(result)) for result in results] == [(MemoryError, "no room for the batch")] * len(
        results
    )
    assert len(after.token_ids) == 4


def test_a_request_that_cannot_run_fails_alone(serve, prompts):
    service = serve()

    async def one_bad():
        return await asyncio.gather(
            service.generate(GenerationRequest(prompts[0], 4)),
            service.generate(GenerationRequest([999], 4)),
            service.generate_batch([GenerationRequest(prompts[0], 4), GenerationRequest([5] * 200, 4)]),
            return_exceptions=True,
        )

    good, unknown_token, too_long = run(one_bad())
    assert len(good.token_ids) == 4
    assert isinstance(unknown_token, ConfigurationError)
    assert isinstance(too_long, ConfigurationError)


def test_an_error_of_a_command_reaches_its_caller(serve):
    service = serve()

    def fail():
        raise OSError("no such device")

    with pytest.raises(OSError, match="no such device"):
        run(service.when_idle(fail))


def test_closing_answers_who_still_waits(llama, prompts):
    service = GenerationService(llama.engine())

    async def close():
        service.hold("sleep")
        waiting = asyncio.create_task(service.generate(GenerationRequest(prompts[0], 4)))
        await asyncio.sleep(0)
        service.close()
        with pytest.raises(RuntimeError, match="closed"):
            await waiting
        with pytest.raises(RuntimeError, match="closed"):
            await service.generate(GenerationRequest(prompts[0], 4))

    run(close())
