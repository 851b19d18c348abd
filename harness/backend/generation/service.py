"""The thread that owns an engine, and its asyncio side.

Single requests join the running batch between decoding steps. A whole batch handed in at once runs alone, so that
which rows share it depends on nothing but its own order. The gate decides who gets in: while something holds it
(an abort, sleep, a weight update), what is running goes on and what arrives waits.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from harness.backend.generation.engine import GenerationEngine
from harness.backend.generation.requests import GenerationOutput, GenerationRequest
from harness.records.signs import give_sign

T = TypeVar("T")
# An idle engine waits until no request has come for this long, so that the first batch is well filled.
_GATHER_SECONDS = 0.002
_GATHER_ROUNDS = 10
_CLOSED = "the generation service has been closed"


@dataclass(eq=False, slots=True)
class _Job:
    """One call of a client: a single request, or a batch that runs alone."""

    requests: Sequence[GenerationRequest]
    alone: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future
    outputs: dict[int, GenerationOutput] = field(default_factory=dict)
    tickets: list[int] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Command:
    """Something to do in the engine's thread between steps: once nothing runs, or at once."""

    action: Callable[[], Any]
    when_idle: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future


class GenerationService:
    """Runs an engine in its own thread.

    Args:
        engine: Belongs to the service from now on.
        on_start: Called once in the engine's thread (thread counts are set per thread).
    """

    def __init__(self, engine: GenerationEngine, on_start: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._on_start = on_start
        self._changed = threading.Condition()
        self._inbox: deque[_Job] = deque()
        self._commands: deque[_Command] = deque()
        self._holds: set[str] = set()
        self._rejecting = False
        self._running: dict[int, _Job] = {}  # ticket → job
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="generation", daemon=True)
        self._thread.start()

    async def generate(self, request: GenerationRequest) -> GenerationOutput:
        """Generates one response; it shares batches with whatever else is running."""
        return (await self._submit([request], alone=False))[0]

    async def generate_batch(self, requests: Sequence[GenerationRequest]) -> list[GenerationOutput]:
        """Generates a response a request, in their order, in batches of their own."""
        return await self._submit(requests, alone=True) if requests else []

    def hold(self, reason: str) -> None:
        """Lets nothing new in until `release` is called with the same reason."""
        with self._changed:
            self._holds.add(reason)

    def release(self, reason: str) -> None:
        """Ends a hold; a reason that does not hold is no error."""
        with self._changed:
            self._holds.discard(reason)
            if reason == "abort":
                self._rejecting = False
            self._changed.notify()

    async def abort(self, reject: bool) -> int:
        """Ends everything that runs, with what it has so far, and holds the gate until ``release("abort")``.

        Args:
            reject: Whether requests that arrive meanwhile come back at once as aborted, instead of waiting.

        Returns:
            The number of responses ended.
        """
        with self._changed:
            self._holds.add("abort")
            self._rejecting = reject
        return await self._command(lambda: self._abort_running(reject), when_idle=False)

    async def when_idle(self, action: Callable[[], T]) -> T:
        """Runs an action in the engine's thread once nothing is running, and returns its result.

        Hold the gate first: otherwise new requests may put that moment off for ever.
        """
        return await self._command(action, when_idle=True)

    def close(self) -> None:
        """Stops the thread after its current step."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    async def _submit(self, requests: Sequence[GenerationRequest], alone: bool) -> list[GenerationOutput]:
        loop = asyncio.get_running_loop()
        job = _Job(requests, alone, loop, loop.create_future())
        with self._changed:
            if self._closed:
                raise RuntimeError(_CLOSED)
            if self._rejecting:
                return [_nothing(request) for request in requests]
            self._inbox.append(job)
            self._changed.notify()
        return await job.future

    async def _command(self, action: Callable[[], T], when_idle: bool) -> T:
        loop = asyncio.get_running_loop()
        command = _Command(action, when_idle, loop, loop.create_future())
        with self._changed:
            self._commands.append(command)
            self._changed.notify()
        return await command.future

    # Everything below runs in the engine's thread.

    def _run(self) -> None:
        self._on_start()
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._closed:
                    break
                self._gather()
                commands, jobs = self._next_commands(), self._next_jobs()
            for command in commands:
                self._execute(command)
            for job in jobs:
                self._start(job)
            if self._engine.busy:
                self._step()
        for waiting in dict.fromkeys([*self._running.values(), *self._inbox, *self._commands]):
            _deliver(waiting.loop, waiting.future, RuntimeError(_CLOSED))

    def _has_work(self) -> bool:
        if self._closed or self._engine.busy:
            return True
        return bool(self._commands or (self._inbox and not self._holds))

    def _gather(self) -> None:
        """Lets requests that are on their way arrive before an idle engine starts."""
        for _ in range(_GATHER_ROUNDS):
            arrived = len(self._inbox)
            idle = not self._engine.busy and not self._commands and not self._holds
            if not idle or not arrived or self._inbox[0].alone:
                return
            self._changed.wait(_GATHER_SECONDS)
            if len(self._inbox) == arrived:
                return

    def _next_commands(self) -> list[_Command]:
        ready = [command for command in self._commands if not (command.when_idle and self._engine.busy)]
        for command in ready:
            self._commands.remove(command)
        return ready

    def _next_jobs(self) -> list[_Job]:
        """Jobs to start now, first come first served: single ones together, a batch only into an idle engine."""
        if self._holds or any(job.alone for job in self._running.values()):
            return []
        jobs: list[_Job] = []
        while self._inbox and not self._inbox[0].alone:
            jobs.append(self._inbox.popleft())
        if not jobs and self._inbox and not self._engine.busy:
            jobs.append(self._inbox.popleft())
        return jobs

    def _execute(self, command: _Command) -> None:
        try:
            result = command.action()
        except Exception as error:  # noqa: BLE001 (it belongs to the caller)
            _deliver(command.loop, command.future, error)
        else:
            _deliver(command.loop, command.future, result)

    def _start(self, job: _Job) -> None:
        try:
            for request in job.requests:
                self._engine.check(request)
        except Exception as error:  # noqa: BLE001 (it belongs to the caller)
            _deliver(job.loop, job.future, error)
            return
        job.tickets = [self._engine.submit(request) for request in job.requests]
        self._running.update(dict.fromkeys(job.tickets, job))

    def _step(self) -> None:
        give_sign()
        try:
            finished = self._engine.step()
        except Exception as error:  # noqa: BLE001 (it belongs to the callers)
            self._engine.reset()
            jobs = dict.fromkeys(self._running.values())
            self._running.clear()
            for job in jobs:
                _deliver(job.loop, job.future, error)
        else:
            self._finish(finished)

    def _finish(self, finished: list[tuple[int, GenerationOutput]]) -> None:
        for ticket, output in finished:
            job = self._running.pop(ticket)
            job.outputs[ticket] = output
            if len(job.outputs) == len(job.tickets):
                _deliver(job.loop, job.future, [job.outputs[ticket] for ticket in job.tickets])

    def _abort_running(self, reject: bool) -> int:
        outputs = self._engine.abort()
        unstarted: list[_Job] = []
        finished = []
        for ticket, output in outputs:
            job = self._running[ticket]
            if output.token_ids or job.alone or reject:
                finished.append((ticket, output))
            else:  # it has not begun: let it wait like those that arrive now
                del self._running[ticket]
                job.tickets = []
                unstarted.append(job)
        self._finish(finished)
        with self._changed:
            self._inbox.extendleft(reversed(unstarted))
            rejected = list(self._inbox) if reject else []
            if reject:
                self._inbox.clear()
        for job in rejected:
            _deliver(job.loop, job.future, [_nothing(request) for request in job.requests])
        return len(finished) + len(rejected)


def _nothing(request: GenerationRequest) -> GenerationOutput:
    return GenerationOutput([], [] if request.logprobs else None, "aborted")


def _deliver(loop: asyncio.AbstractEventLoop, future: asyncio.Future, result: Any) -> None:
    """Resolves a future of another thread's event loop; a caller that has gone away is no error."""

    def resolve() -> None:
        if future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)
