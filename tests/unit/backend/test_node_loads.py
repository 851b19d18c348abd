"""A node's load where it has GPUs, which a processor cannot have: NVIDIA's library is stood in for."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from harness.backend.node_loads import LoadSampler


class NVMLError(Exception):
    """Such as a driver that does not answer."""


def library() -> SimpleNamespace:
    """Two GPUs by the names of pynvml, of which the second works."""
    return SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetMemoryInfo=lambda device: SimpleNamespace(used=20 * device, total=80),
        nvmlDeviceGetUtilizationRates=lambda device: SimpleNamespace(gpu=97 * device),
    )


def test_each_gpu_of_a_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", library())
    found = LoadSampler().sample()
    assert {name: value for name, value in found.items() if name.startswith("gpu")} == {
        "gpu-0/percent": 0.0,
        "gpu-0/memory_percent": 0.0,
        "gpu-1/percent": 97.0,
        "gpu-1/memory_percent": 25.0,
    }


@pytest.mark.parametrize("there", [True, False])
def test_a_node_without_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = library() if there else None
    if broken:
        broken.nvmlInit = lambda: (_ for _ in ()).throw(NVMLError)
    monkeypatch.setitem(sys.modules, "pynvml", broken)
    assert sorted(LoadSampler().sample()) == ["cpu_percent", "memory_percent"]
