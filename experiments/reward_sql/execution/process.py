"""A worker process as its parent sees it: started when needed, killed at the deadline, replaced when it has died."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import IO, Any

from experiments.reward_sql.execution.result import Limits, Result, failure
from harness.errors import HarnessError

ROOT = Path(__file__).resolve().parents[3]
START = "import sys; sys.path.insert(0, {root!r}); from experiments.reward_sql.execution.worker import main; main()"
START_SECONDS = 60.0  # for a worker to be ready, on a busy machine
LIBRARY_PATHS = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # without which some Pythons do not start
SHOWN_BYTES = 2000  # of what a worker said that did not start
JSON_BYTES = 16  # at most for one byte of a result


class WorkerDied(Exception):
    """The worker ended in the middle of a query."""


class Late(Exception):
    """The worker had to be killed, as it did not stop in time."""


class WorkerProcess:
    """One worker, which runs one query at a time.

    Args:
        limits: What a query may take.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._in_use = Lock()

    @property
    def pid(self) -> int | None:
        """Its process, if there is one."""
        return self._process.pid if self._process else None

    def run(self, path: Path, sql: str) -> Result:
        """Run a query on a database; one that its worker dies of is tried once more, in another process.

        Raises:
            HarnessError: The worker was closed, or cannot start.
        """
        if len(sql) > self.limits.sql_bytes:
            return failure("complex", f"the query is longer than {self.limits.sql_bytes} bytes")
        with self._in_use:
            for _ in range(2):
                started = time.monotonic()
                try:
                    return _result(self._ask({"path": str(path), "sql": sql}))
                except Late:
                    return failure("timeout", "the time is up", time.monotonic() - started)
                except WorkerDied as death:
                    failed = failure("crashed", str(death), time.monotonic() - started)
                except BaseException:  # an interruption: the answer to come must not be taken for the next one's
                    self._end()
                    raise
            return failed

    def close(self) -> None:
        """End the process for good, also in the middle of a query."""
        self._closed = True
        if process := self._process:
            process.kill()  # whoever waits for it sees its pipe end
        with self._in_use:
            self._end()

    def _end(self) -> int | None:
        """End the process; the next query starts another one. Returns its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        return process.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            if self._closed:
                raise HarnessError("This SQL executor is closed.", "Make another one.")
            self._begin()
        self._send(json.dumps(request).encode())
        return json.loads(self._receive(self.limits.seconds + self.limits.grace))

    def _begin(self) -> None:
        """Start the process and wait until it is ready."""
        with tempfile.TemporaryFile() as errors:
            self._process = self._start(errors)
            try:
                self._receive(START_SECONDS)
            except Late as late:
                raise WorkerDied(
                    f"the process that was to run the query was not ready in {START_SECONDS:g} s"
                ) from late
            except WorkerDied as death:
                errors.seek(0)
                if said := errors.read()[-SHOWN_BYTES:].decode(errors="replace").strip():
                    raise HarnessError(
                        f"the processes that run SQL cannot start with {sys.executable}: {said}",
                        "Start Python as they do, with -I -S and no environment but the paths of libraries.",
                    ) from death
                raise

    def _start(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        code = START.format(root=str(ROOT))
        return subprocess.Popen(
            # alone and without site packages: it imports the standard library and two files of this package
            [sys.executable, "-I", "-S", "-c", code, json.dumps(asdict(self.limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env={name: os.environ[name] for name in LIBRARY_PATHS if name in os.environ},
            start_new_session=True,  # the terminal's Ctrl-C is for the parent, which closes
        )

    def _send(self, body: bytes) -> None:
        assert self._process is not None
        pipe = self._process.stdin
        assert pipe is not None
        rest = memoryview(len(body).to_bytes(4, "big") + body)
        try:
            while rest:
                rest = rest[pipe.write(rest) :]
        except OSError as error:
            raise self._death() from error

    def _receive(self, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        length = int.from_bytes(self._read(4, deadline), "big")
        if length > JSON_BYTES * self.limits.bytes + 2**20:  # no result is so long: the process writes what it likes
            self._end()
            raise WorkerDied(f"the process that ran the query sent {length} bytes")
        return self._read(length, deadline)

    def _read(self, count: int, deadline: float) -> bytes:
        assert self._process is not None
        pipe = self._process.stdout
        assert pipe is not None
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        parts = []
        while count:
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                self._end()
                raise Late
            part = pipe.read(count)
            if not part:
                raise self._death()
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _death(self) -> WorkerDied:
        return WorkerDied(f"the process that ran the query died (exit status {self._end()})")


def _result(answer: dict[str, Any]) -> Result:
    if answer["kind"] != "ok":
        return failure(answer["kind"], answer["error"], answer["seconds"])
    rows = answer["rows"]
    if answer["blobs"]:
        rows = [[bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in row] for row in rows]
    return Result(tuple(answer["columns"]), tuple(map(tuple, rows)), "", "ok", answer["seconds"])
