"""A run's fork server, and Ray told to use it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator

from harness.backend.fork import starter
from harness.backend.patches import ray_workers_started_by

END_SECONDS = 5.0
# What raylet tells its workers, but Ray reads when it is imported: their job, of which a private cluster has one, and
# the process without which they end: raylet, and here the one that has started it.
FIRST_JOB = "01000000"


@contextlib.contextmanager
def workers_forked(folder: str, modules: Iterable[str] = ()) -> Iterator[None]:
    """A fork server for the body; a cluster of Ray's that is started in it has its workers forked.

    Args:
        folder: Where its socket goes.
        modules: What this run's workers import beside what every run's do.
    """
    place = f"{folder}/fork"
    server = subprocess.Popen(
        [sys.executable, "-m", "harness.backend.fork.server", place, *modules],
        env=os.environ | {"RAY_JOB_ID": FIRST_JOB, "RAY_RAYLET_PID": str(os.getpid())},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    before = os.environ.get(starter.SOCKET)
    os.environ[starter.SOCKET] = place
    try:
        with ray_workers_started_by(starter.__file__):
            yield
    finally:
        os.environ.pop(starter.SOCKET)
        if before is not None:
            os.environ[starter.SOCKET] = before
        assert server.stdin is not None
        server.stdin.close()
        try:
            server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
