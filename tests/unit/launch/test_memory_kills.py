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


FAILED = RunError("ActorDiedError", "the actor died", stage="generating", log="x.log")


def test_what_a_slurm_job_is_told(tmp_path: Path) -> None:
    error = out_of_memory(1, FAILED, by_slurm=True, root=tmp_path)
    assert (
        error.message
        == "a process was killed for want of memory: the job took more than it asked for (cluster.memory_gb)"
    )
    assert (error.remedy, error.stage) == (
        "Ask for more, or train with less. It ended as: the actor died",
        "generating",
    )


def test_what_a_run_on_this_machine_is_told(tmp_path: Path) -> None:
    error = out_of_memory(2, FAILED, by_slurm=False, root=tmp_path)
    assert error.message == "2 processes were killed for want of memory: this machine has no more"
    assert error.remedy.startswith("End other programs on it, or train with less: a smaller model, ")
    assert error.remedy.endswith("It ended as: the actor died")


def test_what_a_run_in_a_container_is_told(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", V2)
    for name, text in {"memory.max": 2**30, "memory.current": 2**29, "memory.stat": "inactive_file 0"}.items():
        write(tmp_path / "sys/fs/cgroup" / name, f"{text}\n")
    error = out_of_memory(1, FAILED, by_slurm=False, root=tmp_path)
    assert "this container or session may take 1.0 GiB, and that was not enough" in error.message
    assert "cluster.memory_gb" not in str(error)


def test_the_kills_of_other_jobs_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "proc/self/cgroup", V2)
    group = tmp_path / "sys/fs/cgroup" / V2.strip().removeprefix("0::/")
    write(group / "memory.events", "oom_kill 0\n")
    write(group.parent.parent / "memory.events", "oom_kill 9\n")
    assert memory_kills(tmp_path) == 0
