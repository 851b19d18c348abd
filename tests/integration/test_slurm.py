"""Sweeps on a real Slurm: every way a run can end is told by name, the others finish, and nothing runs twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cheap_trainings import CHEAP, RATE
from cheap_trainings import project as cheap_project
from hydra_jobs import launch, outcome
from runs import SHORT, command, environment, wait_for
from slurm_cluster import is_possible, slurm_cluster

from harness.records.metrics import read_metrics

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]  # of several trainings, on a machine that others use
CPU = ("cluster=slurm", "device=cpu", "rollout=builtin", "cluster.gpus_per_node=0", "cluster.cpus_per_node=8",
       "cluster.time=20", "cluster.grace_seconds=60")  # fmt: skip
FATES = """
import os, time
from pathlib import Path

import torch

from harness.advantages.grpo import grpo


def fated(token_level_rewards, response_mask, index, fate="none"):
    mark = Path(__file__).resolve().parent / "met" / fate  # each fate is met once
    if fate != "none" and not mark.exists():
        mark.touch()
        if fate == "raise":
            raise ValueError("made to fail")
        if fate == "exit":
            os._exit(3)
        time.sleep(600)
    return grpo(token_level_rewards, response_mask, index)
"""
MINE = ("trusted_modules=[fates]", "advantage_fn=custom", "advantage_fn.module=fates", "advantage_fn.function=fated")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    if reason := is_possible():
        pytest.skip(reason)
    with slurm_cluster(tmp_path_factory.mktemp("slurm")) as variables:
        yield environment() | variables


@pytest.fixture(scope="module")
def run(cluster: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=folder, env=cluster, capture_output=True, text=True, timeout=900, check=False
        )

    return run


def project(folder: Path) -> Path:
    """A project with the fates, and a link for their marks that the frozen source shares."""
    (folder / "fates.py").write_text(FATES)
    (folder / "met").mkdir()
    return folder


def sweep_of(finished: subprocess.CompletedProcess[str]) -> str:
    last = finished.stdout.strip().splitlines()[-1] if finished.stdout.strip() else ""
    assert last.startswith("sweep: "), finished.stdout + finished.stderr
    return last.removeprefix("sweep: ")


def states(report: dict[str, Any]) -> dict[str, str]:
    return {each["label"].rpartition("=")[2]: each["state"] for each in report["runs"]}


def test_each_end_has_its_name_and_retry_completes(
    run: Callable[..., Any], cluster: dict[str, str], tmp_path: Path
) -> None:
    folder = project(tmp_path)
    given = [*SHORT, *CPU, *MINE, "+advantage_fn.fate=sleep,raise,exit,none,wait"]
    started = run(folder, "train", "-m", *given)
    assert started.returncode == 0, started.stderr
    sweep, elsewhere = str(folder / sweep_of(started)), folder / "met"
    for edited in ("fates.py", "harness/__init__.py"):  # what is edited, or put there, changes nothing that is queued
        (folder / edited).parent.mkdir(exist_ok=True)
        (folder / edited).write_text("raise RuntimeError('edited after submission')")

    def report() -> dict[str, Any]:
        return json.loads(run(elsewhere, "sweep", "status", sweep, "--json").stdout)

    (sleeper,) = [each for each in report()["runs"] if each["label"] == "fate=sleep"]
    wait_for(lambda: (folder / "met/sleep").exists())
    cancelled = run(elsewhere, "sweep", "cancel", sweep, Path(sleeper["run"]).name)
    assert cancelled.stdout.strip() == "cancelled 1 of 1 runs", cancelled.stderr
    wait_for(lambda: (folder / "met/wait").exists())
    (waiting,) = [each for each in report()["runs"] if each["label"] == "fate=wait"]
    subprocess.run(["scancel", waiting["job"]], env=cluster, check=True)  # as one does who does not know of the harness
    under_way = ("pending", "running", "preempted")  # preempted: it asks Slurm yet whether somebody has cancelled it
    wait_for(lambda: all(state not in under_way for state in states(report()).values()))
    ended = report()
    assert states(ended) == {
        "sleep": "cancelled", "raise": "failed", "exit": "failed", "none": "done", "wait": "cancelled",
    }  # fmt: skip
    why = {each["label"].rpartition("=")[2]: each["why"] for each in ended["runs"]}
    assert why["raise"].startswith("ValueError: made to fail (at fates.py:")
    assert "ended by os._exit" in why["exit"]  # Ray does not tell its code
    shown = run(elsewhere, "sweep", "status", sweep)
    assert shown.returncode == 1
    assert "5 runs: 1 done, 2 failed, 2 cancelled" in shown.stdout

    assert run(elsewhere, "sweep", "retry", sweep, "--all", "--wait").returncode == 0
    assert set(states(report()).values()) == {"done"}
    begun = [json.loads(line)["index"] for line in (Path(sweep) / "jobs.jsonl").read_text().splitlines()
             if '"started"' in line]  # fmt: skip
    finished_first = next(each["index"] for each in ended["runs"] if each["state"] == "done")
    assert begun.count(finished_first) == 1
    again = run(elsewhere, "train", "-m", *SHORT, *CPU, "algorithm=grpo", "seed=1,2", "--dry-run")
    assert "#SBATCH --array=0-1" in again.stdout


def test_a_warning_saves_requeues_and_changes_no_number(
    run: Callable[..., Any], cluster: dict[str, str], tmp_path: Path
) -> None:
    given = [*SHORT, *CPU, "trainer.total_training_steps=6", "trainer.test_freq=6"]
    sweep = sweep_of(run(tmp_path, "train", "-m", *given, "seed=4,5"))
    other, folder = sorted(path.parent for path in (tmp_path / sweep).glob("*/status.json"))

    def steps() -> list[int]:
        return [record.step for record in read_metrics(folder / "metrics.jsonl") if not record.is_validation_only]

    def status(of: Path) -> dict[str, Any]:
        return json.loads((of / "status.json").read_text())

    wait_for(lambda: len(steps()) >= 1)
    job = json.loads((tmp_path / sweep / "jobs.jsonl").read_text().splitlines()[1])["job"]
    subprocess.run(["scancel", "--signal=USR2", f"{job}_1"], env=cluster, check=True)
    wait_for(lambda: status(folder)["attempt"] == 2 and status(folder)["state"] == status(other)["state"] == "done")
    assert steps() == [1, 2, 3, 4, 5, 6]
    assert status(other)["attempt"] == 1  # of an array's last task Slurm's own id is the array's
    events = [json.loads(line) for line in (tmp_path / sweep / "jobs.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events if event.get("index", 1) == 1] == [
        "submitting", "submitted", "started", "requeue", "started",
    ]  # fmt: skip
    plain = [word for word in given if not word.startswith("cluster")]
    whole = run(tmp_path, "train", *plain, "seed=5", "run_id=whole")
    assert whole.returncode == 0, whole.stderr
    last = [read_metrics(path / "metrics.jsonl")[-1].metrics for path in (folder, folder.parents[1] / "whole")]
    kept = [{name: value for name, value in metrics.items() if name.startswith(("val", "actor/", "critic/")) and "/perf/" not in name}
            for metrics in last]  # fmt: skip
    assert kept[0] == kept[1]


def test_a_run_that_hangs_is_requeued(run: Callable[..., Any], tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "unit/launch/sweep/stuck.py", tmp_path)
    stuck = ("manager=custom", "manager.module=stuck", "manager.function=Stuck", "trusted_modules=[stuck]",
             "cluster.watchdog.minutes=0.05", "cluster.watchdog.factor=1",
             "cluster.watchdog.on_hang=retry", "cluster.requeues=1")  # fmt: skip
    started = run(tmp_path, "train", "-m", *SHORT, *CPU, *stuck, "+manager.hangs=${seed}", "seed=1,9", "--wait")
    assert started.returncode == 1, started.stderr
    report = json.loads(run(tmp_path, "sweep", "status", sweep_of(started), "--json").stdout)
    assert states(report) == {"1": "done", "9": "failed"}
    assert [each["attempt"] for each in report["runs"]] == [2, 2]
    why = report["runs"][1]["why"]
    assert why.startswith("generating has not progressed for")
    assert why.endswith("it has been started again once before (cluster.requeues)")


def test_a_job_of_higher_priority_takes_the_node_and_the_run_goes_on(
    run: Callable[..., Any], cluster: dict[str, str], tmp_path: Path
) -> None:
    given = [*SHORT, *CPU, "trainer.total_training_steps=4", "trainer.save_freq=1", "seed=6"]
    sweep = sweep_of(run(tmp_path, "train", *given))
    folder = next(path.parent for path in (tmp_path / sweep).glob("*/status.json"))
    wait_for(lambda: (folder / "checkpoints/latest_checkpointed_iteration.txt").exists())
    took = ["sbatch", "--wait", "-p", "high", "-N2", "--exclusive", "--wrap", "true", "-o", "/dev/null"]
    subprocess.run(took, env=cluster, check=True, capture_output=True, timeout=120)

    def report() -> dict[str, Any]:
        return json.loads(run(tmp_path, "sweep", "status", sweep, "--json").stdout)["runs"][0]

    assert report()["state"] in ("pending", "running", "preempted")  # never failed: Slurm queues it again
    wait_for(lambda: report()["state"] == "done")
    steps = [record.step for record in read_metrics(folder / "metrics.jsonl") if not record.is_validation_only]
    assert steps == sorted(set(steps))
    assert steps[-1] == 4
    # verl saves before it logs: a kill between the two leaves a checkpoint whose step has no record
    assert len({1, 2, 3, 4} - set(steps)) <= 1
    assert report()["attempt"] == 2


def test_a_killed_submission_is_completed_and_nothing_runs_twice(
    run: Callable[..., Any], cluster: dict[str, str], tmp_path: Path
) -> None:
    held = [*SHORT, *CPU, "cluster.extra=[--hold]", "seed=1,2,3"]
    driver = subprocess.Popen(command("train", "-m", *held), cwd=tmp_path, env=cluster, stdout=subprocess.DEVNULL)

    def journal() -> list[Path]:
        return [path for path in tmp_path.glob("outputs/*/*/jobs.jsonl") if path.read_text()]

    (file,) = wait_for(journal, 60)  # what it was about to submit is noted, and perhaps already accepted
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    resumed = run(tmp_path, "train", "--resume", str(file.parent))
    assert resumed.returncode == 0, resumed.stderr

    def queued() -> list[str]:
        said = subprocess.run(
            ["squeue", "-h", "-r", "-t", "PENDING", "-o", "%i %j"],  # a job of the test before may yet be completing
            env=cluster, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [line for line in said.stdout.splitlines() if "quickstart_tiny" in line]

    assert len(queued()) == 3
    assert run(tmp_path, "train", "--resume", str(file.parent)).returncode == 0
    assert len(queued()) == 3
    assert run(tmp_path, "sweep", "cancel", str(file.parent)).stdout.strip() == "cancelled 3 of 3 runs"
    wait_for(lambda: not queued(), 30)


def test_slurms_own_words_for_a_job_it_would_refuse(run: Callable[..., Any], tmp_path: Path) -> None:
    refused = run(tmp_path, "check", "--deep", *SHORT, *CPU, "cluster.partition=nope")
    assert refused.returncode == 2
    assert "Slurm would not take the job: invalid partition specified: nope" in refused.stdout
    started = run(tmp_path, "train", "-m", *SHORT, *CPU, "cluster.partition=nope", "seed=1,2")
    assert started.returncode == 1
    assert "Slurm refused: " in started.stderr
    assert "harness train --resume outputs/quickstart_tiny/sweep-" in started.stderr


def test_a_search_waits_for_the_jobs_of_each_batch(run: Callable[..., Any], tmp_path: Path) -> None:
    words = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=3",
        "hydra.sweeper.n_jobs=2",
        f"{RATE}=interval(3e-6,8e-5)",
    ]
    finished = run(cheap_project(tmp_path), "train", "-m", *CHEAP, *CPU, "cluster.cpus_per_node=1", *words)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    sweep = tmp_path / sweep_of(finished)
    events = [json.loads(line) for line in (sweep / "jobs.jsonl").read_text().splitlines()]
    assert [event["tasks"] for event in events if event["event"] == "submitted"] == [[0, 1], [2]]
    rates = {float(path.parent.name.removeprefix("lr-")) for path in sweep.glob("*/status.json")}
    best = yaml.safe_load((sweep / "optimization_results.yaml").read_text())["best_params"]
    assert best == {RATE: min(rates, key=lambda rate: abs(rate - 4e-5))}


def test_jobs_of_any_hydra_application(
    cluster: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", cluster["SLURM_CONF"])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((cluster["PYTHONPATH"], str(Path(__file__).parent))))
    told = [outcome(each) for each in launch(tmp_path, "harness_slurm", ["hydra.launcher.cpus_per_node=1"])]
    assert told[0] == told[4] == "returned"
    assert told[1] == "ValueError: made to fail"
    assert "(fate=exit) left no result: Slurm says FAILED exit code 3" in told[2]
    assert "(fate=kill) left no result: Slurm says FAILED" in told[3]
