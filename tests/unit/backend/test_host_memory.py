"""Whether Ray may start in what a machine, a container or a job has of memory."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from harness.backend.host_memory import object_store_bytes, require_memory
from harness.errors import TrainingError

GIB = 2**30


def limited(root: Path, limit: int, usage: int) -> Path:
    group = root / "sys/fs/cgroup/job_7"
    group.mkdir(parents=True)
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text("0::/job_7\n")
    for name, text in {"memory.max": limit, "memory.current": usage, "memory.stat": "inactive_file 0"}.items():
        (group / name).write_text(f"{text}\n")
    return root


def test_a_job_with_too_little_left(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        require_memory(limited(tmp_path, 3 * GIB, 2 * GIB))
    assert caught.value.message == (
        "Ray cannot start: 1.0 GiB of memory are free of the 3.0 GiB that this container or job may take, "
        "2 GiB are needed."
    )
    assert "on Slurm: cluster.memory_gb" in caught.value.remedy
    assert caught.value.stage == "starting Ray"


def test_a_machine_with_too_little_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory()._replace(available=GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(TrainingError, match=r"1\.0 GiB of memory are free on this machine, 2 GiB are needed"):
        require_memory(tmp_path)


def test_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = psutil.virtual_memory()._replace(available=8 * GIB, total=16 * GIB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    require_memory(tmp_path)
    require_memory(limited(tmp_path, 4 * GIB, GIB))


def test_the_object_store_gets_a_share_of_a_job_and_not_of_its_machine(tmp_path: Path) -> None:
    assert object_store_bytes(tmp_path) is None, "Ray sees for itself"
    total = psutil.virtual_memory().total
    assert object_store_bytes(limited(tmp_path, total // 2, total // 4)) == int((total // 2 - total // 4) * 0.3)


def test_a_limit_that_is_none(tmp_path: Path) -> None:
    assert object_store_bytes(limited(tmp_path, 9223372036854771712, 0)) is None
