"""What a machine is found to have."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config import detect


@pytest.mark.parametrize(
    ("flags", "found"),
    [("fma avx2 avx512f", False), ("avx512f avx512_bf16 fma", True), ("amx_bf16", True), ("asimd bf16 i8mm", True)],
)
def test_bfloat16_only_where_the_processor_has_it(
    flags: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(detect, "Path", lambda name: tmp_path / Path(name).name)
    monkeypatch.setenv("HARNESS_DEVICE", "cpu")
    assert detect.detect_bf16() is found


def test_bfloat16_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DEVICE", "cuda")
    assert detect.detect_bf16()


@pytest.mark.parametrize(("parts", "each"), [((1, 1), 48), ((1, 2), 24), ((2, 8), 3), ((8, 8), 1), ((1, None), 48)])
def test_a_batch_among_the_gpus(parts: tuple[int | None, ...], each: int) -> None:
    assert detect.share(48, *parts) == each
