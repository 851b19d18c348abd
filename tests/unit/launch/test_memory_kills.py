"""The kernel's count of processes that were killed for want of memory, as both versions of control groups keep it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.launch.memory_kills import memory_kills, out_of_memory
from harness.records.status import RunError

V1 = "9:name=systemd:/x\n4:memory:/slurm_n1/job_1/step_0\n3:cpu,cpuacct:/\n"
V2 = "0::/system.slice/slurmstepd.scope/job_1/step_0\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("groups", "file", "text"),
    [
        (V1, "memory/slurm_n1/job_1/step_0/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        (
            V2,
            "system.slice/slurmstepd.scope/job_1/step_0/memory.events",
            "low 0\noom 3\noom_kill 2\noom_group_kill 0\n",
        ),
    ],
)
def test_both_versions(groups: str, file: str, text: str, tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", groups)
    assert memory_kills(tmp_path) == 0
    write(tmp_path / "sys/fs/cgroup" / file, text)
    assert memory_kills(tmp_path) == 2


def test_where_nothing_counts(tmp_path: Path) -> None:
    assert memory_kills(tmp_path) == 0


def test_what_a_run_is_told() -> None:
    error = out_of_memory(1, RunError("ActorDiedError", "the actor died", stage="generating", log="x.log"))
    assert (
        error.message
        == "a process was killed for want of memory: the job took more than it asked for (cluster.memory_gb)"
    )
    assert (error.remedy, error.stage) == (
        "Ask for more, or train with less. It ended as: the actor died",
        "generating",
    )
