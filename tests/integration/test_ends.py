"""How a run ends: killed and resumed, stopped, failed, refused; and that nothing of it is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from runs import SHORT, START_SECONDS, Finished, start, wait_for, wait_for_step

from harness.records.metrics import read_metrics
from harness.records.run_folder import RunFolder
from harness.records.signs import RUN
from harness.records.stages import read_stages
from harness.records.status import read_status

pytestmark = pytest.mark.alone


def leftovers() -> tuple[set[int], set[str]]:
    """The processes of runs on this machine, whatever they are, and the folders and shared memory in use."""
    processes = {process.pid for process in psutil.process_iter() if RUN in variables(process)}
    return processes, {str(path) for place in ("/tmp/hr-*", "/dev/shm/*") for path in Path("/").glob(place[1:])}


def variables(process: psutil.Process) -> dict[str, str]:
    """Its environment; none of one that has ended."""
    try:
        return process.environ()
    except psutil.Error:
        return {}


def gone(before: tuple[set[int], set[str]], within: float = 60.0) -> bool:
    """Whether all that has come since ``before`` goes away."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        now = leftovers()
        if not (now[0] - before[0]) and not (now[1] - before[1]):
            return True
        time.sleep(0.2)
    return False


def test_killed_and_resumed(tmp_path: Path, harness: Callable[..., Finished]) -> None:
    before = leftovers()
    long = ("trainer.total_training_steps=4", "trainer.save_freq=1", "trainer.test_freq=4")
    process, run = start(tmp_path, *long)
    wait_for_step(process, run, 2, run.checkpoints / "latest_checkpointed_iteration.txt")
    process.kill()
    process.wait()
    status = read_status(run)
    assert (status.state, status.error.type) == ("failed", "ProcessDied")
    assert gone(before), "what a killed driver had started must not outlive it"

    *_, step, newest = run.checkpoint_steps()
    os.truncate(run.checkpoints / f"global_step_{newest}/actor/model_world_size_1_rank_0.pt", 1000)
    (run.checkpoints / "latest_checkpointed_iteration.txt").write_text("")
    assert f"go on from step {step}: " in read_status(run).error.remedy

    refused = harness("train", "--resume", str(run.path), "actor_rollout_ref.actor.optim.lr=1", folder=tmp_path)
    assert refused.code == 2
    assert "actor_rollout_ref.actor.optim.lr" in refused.err

    resumed = harness("train", "--resume", str(run.path), folder=tmp_path)
    assert resumed.code == 0, resumed.err
    assert resumed.run.path.resolve() == run.path.resolve()
    assert read_status(run).state == "done"
    assert f"global_step_{newest} is not whole and is passed over" in resumed.log()
    assert f"resuming from step {step} of 4" in [entry.stage for entry in read_stages(run.stages)]
    assert run.checkpoint_steps() == [1, 2, 3, 4], "the torn one has been made again"
    steps = [json.loads(line)["step"] for line in run.metrics.read_text().splitlines()]
    assert steps == sorted(set(steps)), "one object a step"
    whole = harness("train", *SHORT, *long)
    assert whole.code == 0, whole.err
    assert final(run) == final(whole.run), "an interrupted run ends with the numbers of one that was not"


def final(run: RunFolder) -> dict:
    """The last step's numbers, the clock's aside."""
    last = read_metrics(run.metrics)[-1]
    return {
        name: value
        for name, value in last.metrics.items()
        if not any(mark in name for mark in ("timing", "perf/", "mfu"))
    }


def test_stopped_by_sigterm(tmp_path: Path) -> None:
    before = leftovers()
    process, run = start(tmp_path, "trainer.total_training_steps=1000")
    wait_for_step(process, run, 1)
    process.terminate()
    assert_stopped(process, run)
    assert gone(before)


@pytest.mark.parametrize("under_way", [True, False], ids=["in a step", "while it starts"])
def test_ctrl_c_twice_in_a_terminal(tmp_path: Path, under_way: bool) -> None:
    before = leftovers()
    process, run = start(tmp_path, "trainer.total_training_steps=1000")
    if under_way:
        wait_for_step(process, run, 1)
    else:
        wait_for(lambda: read_stages(run.stages))
    os.killpg(process.pid, signal.SIGINT)
    wait_for(lambda: read_status(run).state != "running" or process.poll() is not None)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
    assert_stopped(process, run)
    assert gone(before)


def assert_stopped(process: subprocess.Popen, run: RunFolder) -> None:
    """It says what a person needs, and the record says that one has ended it."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"stopping: the run is being ended and recorded" in out
    assert read_status(run).state == "cancelled"
    assert b"--resume" in err
    assert b"Traceback" not in err


def test_a_failing_component_is_the_message(tmp_path: Path, harness: Callable[..., Finished]) -> None:
    before = leftovers()
    (tmp_path / "my_broken.py").write_text("def score(input_text, response_text, **kwargs):\n    return 'much'\n")
    finished = harness(
        "train",
        *SHORT,
        "reward_fn.reasoning_gym._target_=my_broken.score",
        "trusted_modules=[my_broken]",
        folder=tmp_path,
    )
    assert finished.code == 1
    assert "reward_fn.reasoning_gym returned 'much', not a number" in finished.err
    assert "Traceback" not in finished.err
    assert finished.status.state == "failed"
    assert finished.status.error.log
    assert gone(before)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.train_files=torn.parquet"], "data.train_files: torn.parquet is not a whole parquet file"),
        (["trainer.nonsense=1"], "trainer.nonsense: there is no such key"),
        (["data.train_files=/nowhere/train.parquet"], "data.train_files: there is no file /nowhere/train.parquet"),
        (
            ["actor_rollout_ref.model.path=/nowhere/model"],
            "actor_rollout_ref.model.path: there is no folder /nowhere/model",
        ),
        (["reward_fn.reasoning_gym._target_=harness.rewards.nothing.f"], "there is no module harness.rewards.nothing"),
        (["reward_fn.reasoning_gym._target_=os.system"], "outside the trusted modules"),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_starts(
    tmp_path: Path, harness: Callable[..., Finished], overrides: list[str], message: str
) -> None:
    (tmp_path / "torn.parquet").write_bytes(b"PAR1" + b"\0" * 200 + b"PAR1")
    finished = harness("train", *SHORT, *overrides, folder=tmp_path)
    assert finished.code == 2
    assert message in finished.err
    assert "Traceback" not in finished.err
    assert not list(finished.folder.glob("outputs/*/*"))


def test_two_trainings_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    before = leftovers()
    runs = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        runs.append(start(tmp_path / name))
    for process, run in runs:
        _, err = process.communicate(timeout=START_SECONDS)
        assert process.returncode == 0, err.decode() + run.log.read_text()[-3000:]
    assert final(runs[0][1]) == final(runs[1][1])
    assert gone(before)


def test_status_is_valid_json_at_every_moment(tmp_path: Path) -> None:
    process, run = start(tmp_path)
    states = []
    while process.poll() is None:
        states.append(json.loads(run.status.read_text())["state"])
        time.sleep(0.02)
    assert process.returncode == 0
    assert set(states) <= {"pending", "running", "done"}
    assert run.report.exists()
    shutil.rmtree(run.path)
