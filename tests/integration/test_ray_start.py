"""Ray on a machine that is too busy for its node to come up in time."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from types import SimpleNamespace

import psutil
import pytest
import ray

from harness.backend.ray_start import start_ray
from harness.errors import Interrupted, TrainingError

SETTINGS = {"address": "local", "num_cpus": 1, "include_dashboard": False, "logging_level": "ERROR"}


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hr-") as folder:
        yield folder
        ray.shutdown()


def slow(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Ray's clock jumps while its node, whose processes are there, does not answer ``times`` times."""
    from ray._private import node, services

    answers, own = itertools.count(), services.get_node

    def get_node(*arguments: object) -> object:
        if next(answers) < times:
            raise RuntimeError("not yet")
        return own(*arguments)

    monkeypatch.setattr(services, "get_node", get_node)
    clock = itertools.count(step=31)
    monkeypatch.setattr(node, "time", SimpleNamespace(**{**vars(node.time), "monotonic": lambda: next(clock)}))


def raylets() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True) if process.name() == "raylet"}


def test_a_node_that_is_too_slow_is_started_once_more(
    folder: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    slow(monkeypatch, times=1)
    start_ray({**SETTINGS, "_temp_dir": folder})
    assert ray.is_initialized()
    assert len(raylets()) == 1, "the first one is gone"
    assert "Ray's node was not up within 30 s" in capfd.readouterr().err


def test_twice_too_slow_is_an_error_that_says_why(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(monkeypatch, times=2)
    with pytest.raises(TrainingError, match=r"twice its node was not up within 30 s\. The machine is too busy"):
        start_ray({**SETTINGS, "_temp_dir": folder})
    assert not raylets()


def test_other_errors_are_told_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match=r"Ray cannot start: .*no_such_setting") as caught:
        start_ray({**SETTINGS, "no_such_setting": 1})
    assert caught.value.stage == "starting Ray"

    def stopped(**_: object) -> None:
        raise Interrupted("The run got SIGTERM.")

    monkeypatch.setattr(ray, "init", stopped)
    with pytest.raises(Interrupted):
        start_ray(SETTINGS)
