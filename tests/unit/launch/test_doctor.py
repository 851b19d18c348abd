"""The doctor says what is there, and what is wrong with what to do."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from harness.cli import main
from harness.launch import doctor

if TYPE_CHECKING:
    import pytest


def test_this_machine(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(doctor, "visible_gpus", lambda: 0)  # this environment is the processor's
    memory = type("Memory", (), {"available": 2**33, "total": 2**34})
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: memory)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "verl 0.9.1" in out
    assert out.splitlines()[-1] == "trainings can run here"


def test_versions_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    real = doctor.installed
    found = {"verl": "0.8.0", "ray": ""}
    monkeypatch.setattr(doctor, "installed", lambda name: found.get(name, real(name)))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "verl==0.9.1 (0.8.0)" in out
    assert "ray==2.60.0 (missing)" in out
    assert "Run `make setup`" in out


def test_no_room_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 2**30})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    memory = type("Memory", (), {"available": 2**30, "total": 2**33})
    monkeypatch.setattr(doctor.psutil, "virtual_memory", lambda: memory)
    text, works = doctor.doctor_report()
    assert not works
    assert "1 of 8 GB free" in text
    assert "set TMPDIR" in text


def test_slurm_and_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    sbatch = tmp_path / "sbatch"
    sbatch.write_text("#!/bin/sh\necho slurm 24.11\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    text, _ = doctor.doctor_report()
    assert "slurm 24.11" in text
    assert "a key is set" in text


def test_nothing_heavy_is_loaded() -> None:
    import subprocess

    code = "import sys; from harness.cli import main; main(['doctor']); print(sorted({'torch', 'verl', 'ray'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


def test_a_gpu_machine_is_measured_by_the_gpu_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "visible_gpus", lambda: 1)
    monkeypatch.setenv("HARNESS_DEVICE", "cuda")
    real = doctor.installed
    monkeypatch.setattr(doctor, "installed", lambda name: "" if name == "vllm" else real(name))
    text, works = doctor.doctor_report()
    assert not works  # this environment has the processor's torch
    assert "packages (gpu)" in text
    assert "vllm==" not in text  # works without
    assert "rl-harness[gpu]' brings vLLM" in text
    assert "harness_packed, used for training" in text
