"""A scoring process as its owner sees it: asked one thing at a time, ended when it takes too long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

from harness.errors import ComponentError
from harness.scoring.setup import Setup

Serve = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]
BUILD_SECONDS = 300.0  # imports on a cold network disk are slow


class SampleFailed(Exception):
    """A sample could not be scored.

    Args:
        kind: ``error``, ``timeout``, ``memory`` or ``died``.
        reason: What happened.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(kind, reason)
        self.kind, self.reason = kind, reason


class ScoringProcess:
    """Starts the process and waits until its manager is built.

    Args:
        setup: What it builds.
        serve: Answers a manager of whole batches that has a function called: ``(name, arguments, named)``.

    Attributes:
        takes: The parameters of each function, where it holds them for another process.

    Raises:
        ComponentError: It cannot.
    """

    def __init__(self, setup: Setup, serve: Serve | None = None) -> None:
        self.serve = serve
        self.connection, theirs = Pipe()
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(path for path in setup.search_path if path),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harness.scoring.child", str(theirs.fileno())],
            env=environment,
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # so that what a scorer starts ends with it
        )
        theirs.close()
        self.connection.send(setup)
        try:
            self.method, self.takes = self._answer(BUILD_SECONDS)
        except SampleFailed as failure:
            self.close()
            raise ComponentError(
                f"reward_fn: its functions could not be loaded in their own process: {failure.reason}."
            ) from failure
        except ComponentError:
            self.close()
            raise

    def ask(self, argument: Any, seconds: float) -> Any:
        """Have a sample (or a batch) scored.

        Raises:
            SampleFailed: It raised, took too long, needed too much memory, or died; after all but the first the
                process is closed.
            ComponentError: The component is wrong.
        """
        try:
            self.connection.send((self.method, argument))
        except OSError as error:
            self.close()
            raise SampleFailed("died", self._end()) from error
        return self._answer(seconds)

    def _answer(self, seconds: float) -> Any:
        try:
            kind, *rest = self._message(seconds)
        except (EOFError, OSError) as error:
            self.close()
            raise SampleFailed("died", self._end()) from error
        if kind == "ok":
            return rest[0]
        if kind == "wrong":
            raise ComponentError(*rest)
        if rest[0] == "memory":
            self.close()  # what it holds is not known
        raise SampleFailed(*rest)

    def _message(self, seconds: float) -> Any:
        """The answer. What the calls before it take does not count, as each has a limit of its own."""
        left = seconds
        while True:
            started = time.monotonic()
            if not self.connection.poll(max(left, 0.0)):
                self.close()
                raise SampleFailed("timeout", f"it took more than {seconds:g} s")
            kind, *rest = self.connection.recv()
            if kind != "call" or self.serve is None:
                return kind, *rest
            left -= time.monotonic() - started
            try:
                result = self.serve(*rest)
            except BaseException:
                self.close()  # it would wait for ever
                raise
            self.connection.send(result)

    @property
    def closed(self) -> bool:
        """Whether another one is needed."""
        return self.connection.closed

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _end(self) -> str:
        code = self.process.returncode
        return f"its process was ended by signal {-code}" if code < 0 else f"its process ended with code {code}"
