"""What the CPU's platform tells verl about generation servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.backend.cpu.platform import CpuPlatform
from harness.records import stacks

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_vllm_gets_a_small_cache_and_a_folder_that_the_run_removes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(stacks.FOLDER, str(tmp_path / "run/stacks"))
    for name in ("VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_OMP_THREADS_BIND", "TORCHINDUCTOR_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)

    assert CpuPlatform().rollout_env_vars() == {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache/torchinductor"),
        "TMPDIR": str(tmp_path / "run"),
        "VLLM_RPC_BASE_PATH": str(tmp_path / "run"),
    }


def test_the_users_own_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(stacks.FOLDER, raising=False)
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "8")

    variables = CpuPlatform().rollout_env_vars()

    assert variables["VLLM_CPU_KVCACHE_SPACE"] == "8"
    assert "TMPDIR" not in variables
