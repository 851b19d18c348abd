"""Memory limits as both versions of control groups keep them, read from such a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.records.control_groups import Room, memory_groups, memory_room

V1 = "9:name=systemd:/x\n4:memory:/slurm/job_1/step_0\n3:cpu,cpuacct:/\n0::/\n"
V2 = "0::/system.slice/job_1/step_0\n"
UNLIMITED = 9223372036854771712


def fill(folder: Path, files: dict[str, str | int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n")


def v2(limit: int | str, usage: int, cache: int = 0) -> dict[str, str | int]:
    stat = f"anon {usage}\nfile {cache}\ninactive_file {cache}\nactive_file 0"
    return {"memory.max": limit, "memory.current": usage, "memory.stat": stat}


def v1(limit: int, usage: int, cache: int = 0) -> dict[str, str | int]:
    stat = f"inactive_file 1\nactive_file 1\ntotal_inactive_file 0\ntotal_active_file {cache}"
    return {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": usage, "memory.stat": stat}


@pytest.fixture
def groups(tmp_path: Path) -> Path:
    """Where version 2's are mounted."""
    fill(tmp_path / "proc/self", {"cgroup": V2.strip()})
    return tmp_path / "sys/fs/cgroup"


def test_no_control_groups(tmp_path: Path) -> None:
    assert memory_room(tmp_path) is None
    assert list(memory_groups(tmp_path)) == []


def test_version_2_the_tightest_group_counts(groups: Path, tmp_path: Path) -> None:
    fill(groups / "system.slice/job_1/step_0", v2("max", 700))
    assert memory_room(tmp_path) is None, "no limit is set"
    fill(groups / "system.slice/job_1", v2(1000, 700, cache=200))
    fill(groups / "system.slice", v2(100_000, 5000))
    assert memory_room(tmp_path) == Room(free=500, limit=1000)
    fill(groups / "system.slice", v2(100_000, 99_800))
    assert memory_room(tmp_path) == Room(free=200, limit=100_000)
    assert memory_room(tmp_path, limit_below=100_000) == Room(free=500, limit=1000)


def test_version_1(tmp_path: Path) -> None:
    fill(tmp_path / "proc/self", {"cgroup": V1.strip()})
    groups = tmp_path / "sys/fs/cgroup/memory"
    fill(groups / "slurm/job_1/step_0", v1(UNLIMITED, 700))
    fill(groups / "slurm/job_1", v1(1000, 700, cache=200))
    assert memory_room(tmp_path) == Room(free=500, limit=1000)


def test_a_container_that_sees_its_own_group_as_the_root(groups: Path, tmp_path: Path) -> None:
    fill(groups, v2(1000, 900))
    assert list(memory_groups(tmp_path)) == [groups]
    assert memory_room(tmp_path) == Room(free=100, limit=1000)


def test_a_group_over_its_limit_has_nothing_left(groups: Path, tmp_path: Path) -> None:
    fill(groups, v2(1000, 1100))
    assert memory_room(tmp_path) == Room(free=0, limit=1000)
