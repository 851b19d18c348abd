"""GPUs of one machine, shared out among runs; made up by variables, as none is needed to count them."""

from __future__ import annotations

import re

import pytest

from harness.errors import ConfigurationError
from harness.launch.sweep import devices


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DEVICE", "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3,GPU-af,7")


def test_runs_at_once_see_disjoint_ones(gpus: None) -> None:
    assert devices.shares({"at_once": 2, "gpus_per_node": 2}) == [
        {"CUDA_VISIBLE_DEVICES": "2,3"},
        {"CUDA_VISIBLE_DEVICES": "GPU-af,7"},
    ]
    assert devices.shares({"at_once": 3, "gpus_per_node": 1})[2] == {"CUDA_VISIBLE_DEVICES": "GPU-af"}


def test_one_run_sees_what_there_is(gpus: None) -> None:
    assert devices.shares({"at_once": 1, "gpus_per_node": 4}) == [{}]
    assert devices.shares({}) == [{}]


@pytest.mark.parametrize(
    ("at_once", "each", "remedy"),
    [
        (2, 4, "Set cluster.gpus_per_node=2 or cluster.at_once=1."),
        (5, 2, "Set cluster.at_once=2."),
        (2, 8, "Set cluster.gpus_per_node=2."),
    ],
)
def test_more_than_there_are_is_refused(gpus: None, at_once: int, each: int, remedy: str) -> None:
    with pytest.raises(
        ConfigurationError, match=re.escape(f"need {at_once * each} GPUs; this machine has 4")
    ) as caught:
        devices.shares({"at_once": at_once, "gpus_per_node": each})
    assert caught.value.remedy == remedy


def test_a_cpu_is_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DEVICE", "cpu")
    assert devices.shares({"at_once": 3, "gpus_per_node": 1}) == [{}, {}, {}]
