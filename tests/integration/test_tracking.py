"""W&B's real client, fed from a run's record, against a server at the HTTP boundary that works or fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import yaml
from runs import SHORT, Finished, environment, wait_for
from wandb_server import Server, wandb_server

from harness.cli import main
from harness.records.run_folder import RunFolder
from harness.tracking.process import told
from harness.tracking.state import read_tracking

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "report"))
from demo_run import make_demo_run

STEPS = 20
DIFF = b"--- a/mine.py\n+++ b/mine.py\n+VALUE = 1\n"
COMMIT = {"repository": "mine", "commit": "c0ffee" * 6 + "c0ff", "remote": "https://git.lab.example/mine.git"}


def follow(run: RunFolder, server: Server | None) -> None:
    """The process that a training starts, on a run that has ended."""
    variables = environment()
    variables.pop("WANDB_MODE", None)
    variables |= server.variables if server else {"WANDB_API_KEY": "", "NETRC": os.devnull}
    command = [sys.executable, "-m", "harness.tracking.follow", str(run.path)]
    subprocess.run(command, env=variables, check=True, capture_output=True, timeout=150)


def changed_run(folder: Path, diff: bytes = DIFF) -> RunFolder:
    """A run of a project with uncommitted changes."""
    run = make_demo_run(folder, steps=STEPS, prompts=20)
    run.code_diff.write_bytes(diff)
    run.provenance.write_text(json.dumps(json.loads(run.provenance.read_text()) | {"code": COMMIT}))
    return run


def test_wandb_is_told_everything_once(tmp_path: Path) -> None:
    run = changed_run(tmp_path)
    with wandb_server() as server:
        follow(run, server)
        follow(run, server)  # as a resumed run does; nothing is repeated
    (about,) = server.runs.values()
    assert about["groupName"] == "quickstart actor_rollout_ref.actor.optim.lr=2e-5"
    assert {"seed:1", "model:SmolLM2-135M-Instruct"} <= set(about["tags"])
    config = json.loads(about["config"])
    assert config["harness"]["value"]["fingerprint"] == "9f2c51e07ab4"
    assert about["exitcode"] == 0
    assert (about["commit"], about["repo"]) == (COMMIT["commit"], COMMIT["remote"])
    assert server.files[read_tracking(run).id]["code.diff"] == DIFF
    (rows,) = server.history.values()
    assert [row["_step"] for row in rows if "critic/score/mean" in row] == list(range(1, STEPS + 1))
    tables = [row for row in rows if "generations" in row]
    assert [row["_step"] for row in tables] == [0, 10, 20]
    state = read_tracking(run)
    assert (state.mode, state.uploaded, state.told_step) == ("online", True, STEPS)


@pytest.mark.parametrize(("mode", "why"), [("reject", "401"), ("none", "no key")])
def test_where_wandb_is_not_to_be_had_it_is_kept_and_uploaded_later(
    mode: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = changed_run(tmp_path)
    with wandb_server(mode) as server:
        follow(run, server if mode != "none" else None)
        state = read_tracking(run)
        assert (state.mode, state.uploaded, state.told_step) == ("offline", False, STEPS)
        assert why in state.why
        server.mode = "ok"
        monkeypatch.delenv("WANDB_MODE", raising=False)
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        assert main(["sync", str(tmp_path)]) == 0
        assert "uploaded" in capsys.readouterr().out
        (rows,) = server.history.values()
        assert len([row for row in rows if "critic/score/mean" in row]) == STEPS
        assert server.files[state.id]["code.diff"] == DIFF
        (about,) = server.runs.values()
        assert about["commit"] == COMMIT["commit"]
        assert main(["sync", str(tmp_path)]) == 0
        assert capsys.readouterr().out == "W&B has everything.\n"


def test_changes_that_are_too_many_are_left_out_and_told(tmp_path: Path) -> None:
    run = changed_run(tmp_path, b"+" * 10_000_001)
    with wandb_server() as server:
        follow(run, server)
    state = read_tracking(run)
    assert "code.diff" not in server.files[state.id]
    assert told(run) == f"W&B: {state.url}, without code.diff (10.0 MB, above 10 MB)"
    assert state.uploaded


@pytest.mark.parametrize("mode", ["offline", "online"])
def test_what_was_kept_offline_on_purpose_is_uploaded_when_asked(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_demo_run(tmp_path, steps=2, prompts=4)
    config = yaml.safe_load(run.config.read_text()) | {"tracking": {"backend": "wandb", "mode": mode}}
    run.config.write_text(yaml.safe_dump(config))
    with wandb_server() as server:
        for name, value in {**server.variables, "WANDB_MODE": "offline"}.items():
            monkeypatch.setenv(name, value)
        subprocess.run([sys.executable, "-m", "harness.tracking.follow", str(run.path)], env=environment(), check=True)
        assert read_tracking(run).why == "the mode is offline"
        assert not server.asked
        assert main(["sync", str(run.path)]) == 0
        assert "uploaded" in capsys.readouterr().out
        (rows,) = server.history.values()
        assert [row["_step"] for row in rows if "critic/score/mean" in row] == [1, 2]


def test_an_upload_that_lacks_something_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_demo_run(tmp_path / "runs", steps=2, prompts=4)
    follow(run, None)
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    with wandb_server("forbid", ["artifact"]) as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        assert main(["sync", str(run.path)]) == 1
        assert "failed to log artifact" in capsys.readouterr().out
        server.mode = "ok"
        assert main(["sync", str(run.path)]) == 0
        assert "generations.table.json" in server.artifacts
    assert not list(elsewhere.iterdir()), "the client's logs lie in the run's folder"


def test_a_training_is_shown_in_wandb(
    harness: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with wandb_server() as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        finished = harness("train", *SHORT, "trainer.logger=wandb", folder=tmp_path)
        assert finished.code == 0, finished.err
        assert f"W&B: {server.variables['WANDB_BASE_URL']}/lab/" in finished.out
        (rows,) = server.history.values()
        assert {row["_step"] for row in rows if "actor/pg_loss" in row} == {1, 2}
        (about,) = server.runs.values()
        assert about["exitcode"] == 0
    assert read_tracking(finished.run).uploaded
    assert "Connection lost" not in (finished.run.path / "tracking.log").read_text()


def test_a_training_does_not_wait_for_wandb(
    harness: Callable[..., Finished], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with wandb_server("slow") as server:
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        finished = harness("train", *SHORT, "tracking=wandb", "tracking.finish_seconds=1", folder=tmp_path)
        assert finished.code == 0, finished.err
        assert "Upload it with: harness sync outputs/quickstart_tiny/" in finished.out
        assert "Connection lost" not in (finished.run.path / "tracking.log").read_text()
        assert finished.out.strip().splitlines()[-1].startswith("run: ")
        server.mode = "ok"
        assert harness("sync", folder=tmp_path).code == 0
        (rows,) = server.history.values()
        assert {row["_step"] for row in rows if "actor/pg_loss" in row} == {1, 2}


def test_the_training_comes_first_where_cores_are_few(tmp_path: Path) -> None:
    run = make_demo_run(tmp_path, steps=2, prompts=4)
    own = psutil.Process().nice()
    with wandb_server("slow") as server:
        command = [sys.executable, "-m", "harness.tracking.follow", str(run.path), "--of", str(os.getpid())]
        with subprocess.Popen(command, env=environment() | server.variables | {"WANDB_MODE": "online"}) as process:
            wait_for(server.failed.total, 60)
            assert psutil.Process(process.pid).nice() == min(own + 10, 19)
            process.kill()


def test_a_sync_without_a_key_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_demo_run(tmp_path, steps=2, prompts=4)
    (run.path / "tracking.json").write_text("{}")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    assert main(["sync", str(tmp_path)]) == 2
    assert "Run `wandb login`" in capsys.readouterr().err
