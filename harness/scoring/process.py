"""A scoring process as its owner sees it: asked one thing at a time, ended when it takes too long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

from harness.errors import ComponentError
from harness.scoring.setup import Setup

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

    Raises:
        ComponentError: It cannot.
    """

    def __init__(self, setup: Setup) -> None:
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
            self.method = self._answer(BUILD_SECONDS)
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
            if not self.connection.poll(seconds):
                self.close()
                raise SampleFailed("timeout", f"it took more than {seconds:g} s")
            kind, *rest = self.connection.recv()
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
