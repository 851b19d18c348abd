"""A further node serves until its first one is done or gone, whatever the way."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.backend import node
from harness.records.meeting import Head, Meeting


@pytest.fixture
def meeting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Meeting:
    monkeypatch.setattr(node, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(node, "LOOK_EVERY_SECONDS", 0.05)
    meeting = Meeting(str(tmp_path), 2, "n2", "127.0.0.1")
    monkeypatch.setenv(*next(iter(meeting.environment().items())))
    return meeting


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def ray() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def head_at(server: socket.socket) -> Head:
    return Head(f"127.0.0.1:{server.getsockname()[1]}", "token")


def test_a_run_that_never_starts_ray(meeting: Meeting) -> None:
    meeting.close()
    assert node.main() == 0


def test_a_run_that_ends(meeting: Meeting, listening: socket.socket, ray: subprocess.Popen[bytes]) -> None:
    meeting.close()
    assert node._serve(meeting, head_at(listening), ray) == "the run is over"
    node._end(ray, 10.0)
    assert ray.returncode == -15


def test_a_head_that_is_killed(meeting: Meeting, listening: socket.socket, ray: subprocess.Popen[bytes]) -> None:
    head = head_at(listening)
    listening.close()
    assert node._serve(meeting, head, ray) == f"the head at {head.address} is gone"
    assert meeting.failures() == []


def test_a_head_whose_packets_are_lost(
    meeting: Meeting, ray: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node, "SILENT_SECONDS", 0.3)
    with socket.socket() as server, socket.socket() as first:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        first.connect(server.getsockname())  # fills the queue: what comes now is not answered
        assert node._serve(meeting, head_at(server), ray).endswith("is gone")


def test_ray_that_ends_here_alone(meeting: Meeting, listening: socket.socket) -> None:
    ray = subprocess.Popen(["sh", "-c", "exit 3"])
    assert node._serve(meeting, head_at(listening), ray) == "Ray ended with exit code 3"
    assert meeting.failures() == ["node n2: Ray ended with exit code 3"]
