"""Runs over two nodes that are as good as machines: one Ray cluster each, side by side, and a node that dies."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import SHORT, command, environment, wait_for
from slurm_cluster import NODES, is_possible, slurm_cluster, start_node
from slurm_hosts import Hosts

from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder
from harness.records.status import Status, read_status

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]  # of several trainings, on a machine that others use
TWO_NODES = ("cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0", "cluster.cpus_per_node=4",
             "cluster.time=20", "cluster.grace_seconds=60", "cluster.nodes=2")  # fmt: skip


class Lab:
    """The hosts, the Slurm on them and a project."""

    def __init__(self, hosts: Hosts, variables: dict[str, str], project: Path) -> None:
        self.hosts, self.project = hosts, project
        self.env = environment() | variables | {"RAY_TMPDIR": str(hosts.local)}

    def train(self, *words: str) -> list[RunFolder]:
        """Submit runs."""
        given = command("train", *SHORT, *TWO_NODES, *words)
        started = subprocess.run(given, cwd=self.project, env=self.env, capture_output=True, text=True, check=False)
        assert started.returncode == 0, started.stdout + started.stderr
        sweep = self.project / started.stdout.strip().splitlines()[-1].removeprefix("sweep: ")
        return [RunFolder(path.parent) for path in sorted(sweep.glob("*/status.json"))]

    def row(self, run: RunFolder) -> dict[str, object]:
        """What `harness sweep status` tells of a run."""
        asked = command("sweep", "status", str(run.path.parent), "--json")
        said = subprocess.run(asked, cwd=self.project, env=self.env, capture_output=True, text=True, check=False)
        return next(row for row in json.loads(said.stdout)["runs"] if row["run"] == str(run.path))

    def queue(self) -> str:
        """What Slurm has to do."""
        return subprocess.run(["squeue", "-h"], env=self.env, capture_output=True, text=True, check=True).stdout

    def is_quiet(self) -> bool:
        """Whether nothing but Slurm's own daemon is on the hosts, and nothing in their temporary folders."""
        return all(self.hosts.processes(host) == ["bash", "slurmd"] for host in self.hosts.all()) and not any(
            self.hosts.local_files(host) for host in self.hosts.all()
        )


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if reason := is_possible() or Hosts.are_impossible():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("slurm")
    hosts = Hosts(folder, NODES)
    try:
        with slurm_cluster(folder, hosts) as variables:
            yield Lab(hosts, variables, tmp_path_factory.mktemp("project"))
    finally:
        hosts.close()


def ended(run: RunFolder) -> Status | None:
    status = read_status(run)
    return status if status.has_ended else None


def steps(run: RunFolder) -> list[int]:
    return [record.step for record in read_metrics(run.metrics) if not record.is_validation_only]


def requeues(run: RunFolder) -> list[str]:
    """Why it was sent back into the queue, each time."""
    entries = [json.loads(line) for line in (run.path.parent / "jobs.jsonl").read_text().splitlines()]
    return [entry["why"] for entry in entries if entry["event"] == "requeue"]


def require_workers_on_both_hosts(lab: Lab, run: RunFolder) -> None:
    log = run.log.read_text()
    assert f"harness: Ray runs on n1 ({lab.hosts.address(1)}), n2 ({lab.hosts.address(2)})" in log
    workers = [line for line in log.splitlines() if "(WorkerDict pid=" in line]
    assert any(f"ip={lab.hosts.address(2)})" in line and "rank1" in line for line in workers)
    assert any("ip=" not in line and "[Rank 0]" in line for line in workers)  # Ray names the others' hosts alone


def test_two_runs_share_two_nodes(lab: Lab) -> None:
    runs = lab.train("-m", "seed=1,2", "trainer.save_freq=2")
    assert len(runs) == 2
    wait_for(lambda: all(read_status(run).state == "running" for run in runs), 60)
    for run in runs:
        wait_for(lambda run=run: ended(run), 400)
        assert read_status(run).state == "done", read_status(run)
        assert steps(run) == [1, 2]
        assert "system/node-1/cpu_percent" in read_metrics(run.metrics)[-1].metrics
        require_workers_on_both_hosts(lab, run)
    wait_for(lambda: not lab.queue(), 60)
    wait_for(lab.is_quiet, 60)
    assert not list(runs[0].path.parent.glob("logs/ray-*/head.json"))  # the token is gone with its cluster


def test_a_node_that_dies_is_told_and_the_run_goes_on(lab: Lab) -> None:
    (run,) = lab.train("trainer.total_training_steps=3", "trainer.save_freq=1", "trainer.test_freq=-1", "seed=3")
    saved = run.checkpoints / "latest_checkpointed_iteration.txt"
    wait_for(saved.exists, 300)
    lab.hosts.crash(2)
    assert wait_for(lambda: requeues(run), 120) == ["The run was stopped: node n2 was lost."]
    wait_for(lambda: " R " not in lab.queue(), 30)
    status = read_status(run)
    assert status.state in ("preempted", "pending")  # as fast as Slurm ended it
    assert status.error is not None
    assert (status.error.type, status.error.message) == ("NodeLost", "node n2 was lost")
    assert str(lab.row(run)["why"]).startswith("node n2 was lost")
    lab.hosts.clear(1, "slurmd")
    start_node(2, lab.env | os.environ, lab.hosts)
    wait_for(lambda: read_status(run).attempt == 2 and ended(run), 300)
    assert read_status(run).state == "done", read_status(run)
    assert steps(run)[-1] == 3
    assert steps(run) == sorted(set(steps(run)))
    wait_for(lab.is_quiet, 60)
