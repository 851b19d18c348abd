"""The process that imports once and forks Ray's workers: ``python -m harness.backend.fork.server SOCKET [MODULE …]``.

It runs no threads, draws and computes nothing, so that what it forks is as fresh as a new interpreter. It ends when its
standard input does, with the process that started it.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import socket
import sys
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import ray
from ray._private.runtime_env.context import RuntimeEnvContext
from ray._private.utils import update_envs

from harness.backend.fork.starter import SIZE_BYTES, YES, is_own
from harness.backend.patches import ray_draws_nothing

IMPORTED = (  # what the workers of a run on a CPU need, the slow ones
    "verl",
    "ray._private.workers.setup_worker",
    "ray.util.queue",
    "harness.backend.task_runner",
    "harness.backend.workers",
    "harness.backend.generation.server",
    "harness.backend.rewards",
    "harness.backend.trainer",
    "torch.distributed.checkpoint",
)
SECONDS_BETWEEN_LOOKS = 1.0  # at workers that have ended


@dataclass
class Wish:
    """What a starter asks for.

    Attributes:
        words: Its arguments: the worker's script, and those of the script.
        variables: Its environment.
        folder: Where it runs.
        streams: Its standard streams.
        starter: The connection, which tells it of the worker's end.
    """

    words: list[str]
    variables: dict[str, str]
    folder: str
    streams: list[int]
    starter: socket.socket


def main() -> None:
    """Serve; in a forked process, be the worker that was wished for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("socket")
    parser.add_argument("module", nargs="*", help="to import beside what every run needs")
    arguments = parser.parse_args()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(arguments.socket)
    listener.listen(128)  # starters wait until everything has been imported
    with ray_draws_nothing():
        _import_all((*IMPORTED, *arguments.module))
    if not _forks_draw_apart():
        sys.exit("Ray's workers are not forked: they would draw the same random numbers")
    wish = _serve(listener)
    if wish:
        listener.close()
        _become(wish)


def _import_all(names: Iterable[str]) -> None:
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001  the worker that needs it fails on its own, and tells
            traceback.print_exc()
    gc.collect()
    gc.freeze()  # collections would copy pages that the workers share


def _forks_draw_apart() -> bool:
    """Whether two forks name new objects differently; those of the same name would overwrite each other's."""
    drawn = []
    for _ in range(2):
        reading, writing = os.pipe()
        if not os.fork():
            os.write(writing, ray.ObjectID.from_random().binary())
            os._exit(0)
        os.close(writing)
        drawn.append(os.read(reading, 64))
        os.close(reading)
        os.wait()
    return drawn[0] != drawn[1]


def _serve(listener: socket.socket) -> Wish | None:
    """Fork for every starter; None at the end of standard input, and the wish in the process forked for it."""
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [], SECONDS_BETWEEN_LOOKS)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if sys.stdin in ready:
            return None
        if listener not in ready:
            continue
        wish = _received(listener.accept()[0])
        if wish and not os.fork():
            return wish
        if wish:
            for stream in wish.streams:
                os.close(stream)
            wish.starter.close()


def _received(starter: socket.socket) -> Wish | None:
    """What the starter asks for; None, and the connection closed, where it has to do it itself."""
    try:
        if not is_own(starter):
            raise ConnectionRefusedError
        size, streams, _, _ = socket.recv_fds(starter, SIZE_BYTES, 3)
        text = b""
        while size and len(text) < int.from_bytes(size, "big"):
            if not (more := starter.recv(2**16)):
                raise ConnectionResetError  # it ended meanwhile
            text += more
        wish = Wish(**json.loads(text), streams=list(streams), starter=starter)
        if _is_plain(wish.words):
            starter.sendall(YES)
            return wish
    except (OSError, ValueError):
        traceback.print_exc()
    starter.close()
    return None


def _context(words: list[str]) -> RuntimeEnvContext:
    """What Ray's runtime environment asks for."""
    start = "--serialized-runtime-env-context="
    return RuntimeEnvContext.deserialize(
        next((w.removeprefix(start) for w in words if w.startswith(start)), "") or "{}"
    )


def _is_plain(words: list[str]) -> bool:
    """Whether a Python worker of this interpreter is wished for."""
    context = _context(words)
    special = context.command_prefix or context.override_worker_entrypoint
    return "--language=PYTHON" in words and not special and context.py_executable == sys.executable


def _become(wish: Wish) -> None:
    """Take over what a new process would have, and run its script."""
    for number, stream in enumerate(wish.streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(wish.folder)
    os.environ.clear()
    os.environ.update(wish.variables)
    update_envs(_context(wish.words).env_vars)
    script, *rest = wish.words
    sys.argv = [script, *(word for word in rest if not word.startswith(("--language=", "--serialized-runtime-env")))]
    sys.path.insert(0, str(Path(script).parent))
    _differ_from_the_others()
    runpy.run_path(script, run_name="__main__")


def _differ_from_the_others() -> None:
    """What a new interpreter has of its own and a fork has of its parent."""
    import numpy as np
    from ray._raylet import Config

    from harness.records.stacks import answer_with_stacks

    Config.initialize("")  # Ray's settings, among them how processes know each other, from these variables
    np.random.seed()  # noqa: NPY002  the one that libraries draw from
    answer_with_stacks()


if __name__ == "__main__":
    main()
