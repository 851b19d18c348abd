"""The process beside W&B's client, the real one, which is held so that it does not end by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from harness.tracking.process import _end
from harness.tracking.service import services

HELD = """
import os, signal, sys
from wandb.sdk import wandb_setup
from harness.tracking.service import end_with_this_process, services

if "in time" in sys.argv:
    end_with_this_process(0.5)
wandb_setup.singleton().ensure_service()
(service,) = services(os.getpid())
service.suspend()
print(service.pid, flush=True)
if "stay" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pause()
"""


@pytest.fixture
def held() -> object:
    """Starts a client with a held service."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> tuple[subprocess.Popen[bytes], int]:
        command = [sys.executable, "-c", HELD, *words]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        client = subprocess.Popen(command, stdout=subprocess.PIPE, env=kept | {"WANDB_SILENT": "true"})
        started.append(client)
        assert client.stdout is not None
        return client, int(client.stdout.readline())

    yield start
    for client in started:
        for service in services(client.pid):
            service.kill()
        client.kill()
        client.wait()


def test_without_a_limit_the_client_waits_for_it(held) -> None:
    client, _ = held()
    with pytest.raises(subprocess.TimeoutExpired):
        client.wait(4)


def test_a_program_comes_to_its_end(held) -> None:
    client, service = held("in time")
    assert client.wait(20) == 0
    assert not psutil.pid_exists(service)


def test_none_is_left_of_a_client_that_is_killed(held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.tracking.process.CLOSING_SECONDS", 0.2)
    client, service = held("stay")
    _end(client, 0.2)
    assert client.returncode == -signal.SIGKILL
    psutil.wait_procs([psutil.Process(service)] if psutil.pid_exists(service) else [], timeout=10)
    assert not psutil.pid_exists(service)
