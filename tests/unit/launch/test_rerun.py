"""The same experiment again from its record: its configuration as a new run, and its code as it was."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from harness.cli import main
from harness.config.compose import compose_config
from harness.config.fingerprint import fingerprint
from harness.errors import ConfigurationError
from harness.launch.record import open_run
from harness.launch.recorded_code import recorded_code
from harness.launch.rerun import recomposed
from harness.launch.sweep.folder import SweepFolder
from harness.launch.sweep.prepare import make_sweep
from harness.records.provenance import read_provenance, version

WORDS = ["experiment=quickstart_tiny"]


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a change that is not committed, and data that git ignores."""
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    git(folder, "init", "-q")
    (folder / "mine.py").write_text("VERSION = 1\n")
    (folder / ".gitignore").write_text("data/\noutputs/\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    (folder / "mine.py").write_text("VERSION = 2\n")
    (folder / "new.py").write_text("NEW = True\n")
    (folder / "data/train.txt").write_text("data\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return folder


def test_the_code_as_it_was(project: Path) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    assert recorded_code(run) is None, "nothing has changed since"
    (project / "mine.py").write_text("VERSION = 3\n")
    git(project, "commit", "-qam", "second")
    code = recorded_code(run)
    assert code is not None
    assert (code / "mine.py").read_text() == "VERSION = 2\n"
    assert (code / "new.py").read_text() == "NEW = True\n"
    assert (code / "data/train.txt").read_text() == "data\n"
    assert recorded_code(run) == code


def test_code_that_cannot_be_had(project: Path) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    text = run.provenance.read_text()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    run.provenance.write_text(text.replace(commit, "0" * 40))
    with pytest.raises(ConfigurationError, match="was made with commit 000000000000, which cannot be had") as caught:
        recorded_code(run)
    assert "--here" in caught.value.remedy


def test_a_sweeps_run_has_the_sweeps_frozen_source(project: Path) -> None:
    sweep = make_sweep([*WORDS, "seed=1,2"])
    run = sweep.run(sweep.plan().runs[1])
    assert recorded_code(run) == sweep.code(sweep.plan())
    assert recomposed(run, []).config.output_root == str(project / "outputs")


def test_the_same_experiment_in_a_folder_of_its_own(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "seed=4"]
    run, recorded = open_run(compose_config(words), words)
    config = recomposed(run, []).config
    assert (config.run_id, config.run_dir, config.seed) == (None, None, 4)
    again, resolved = open_run(config, WORDS)
    assert again.path != run.path
    assert again.path.parent == project / "outputs/quickstart_tiny"
    assert fingerprint(resolved) == fingerprint(recorded)
    assert str(run.path) not in again.config.read_text()
    assert run.run_id not in again.config.read_text()
    assert main(["rerun", str(run.path), "seed=9", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"# would run {run.shown()} again with the code in {project}\n"), repr(shown[:300])
    assert "\nseed: 9\n" in shown
    assert "seed: 4\n" not in shown, "whatever takes the seed's value takes the new one's"


def test_the_code_of_then_is_the_code_of_the_new_run_too(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    (project / "mine.py").write_text("VERSION = 3\n")
    code = recorded_code(run)
    assert code is not None
    assert main(["rerun", str(run.path), "seed=9", "--dry-run"]) == 0
    assert f"again with the code in {code}" in capfd.readouterr().out
    words = [*WORDS, "seed=9"]
    again = open_run(compose_config(words), words, code_of=run)[0]
    assert again.code_diff.read_bytes() == run.code_diff.read_bytes()
    assert read_provenance(again)["code"] == read_provenance(run)["code"]
    assert recorded_code(again) == code


def test_what_the_record_cannot_bring_back_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "big.bin").write_bytes(bytes(1_500_000))
    run, _ = open_run(compose_config(WORDS), WORDS)
    about = read_provenance(run)
    about["versions"] |= {"torch": "1.0", "python": "2.7", "vllm": None}
    about["harness"] = {"version": "1", "repository": "/elsewhere", "commit": "c" * 40, "dirty": False}
    run.provenance.write_text(json.dumps(about))
    assert main(["rerun", str(run.path), "--dry-run"]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"warning: {run.shown()} was made with python 2.7 (now 3.")
    assert f"torch 1.0 (now {about['versions']['torch'] and version('torch')})" in told[0]
    assert "the harness at commit cccccccccccc (now " in told[0]
    assert told[1] == "warning: its record does not hold big.bin (1.5 MB): what is there now is taken."
    assert len(told) == 2


def test_a_run_of_slurms_goes_to_slurm_again(project: Path, programs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *WORDS,
        "cluster=slurm",
        "device=cpu",
        "rollout=builtin",
        "cluster.gpus_per_node=0",
        "cluster.time='1:00:00'",
    ]
    run = make_sweep([*words, "seed=1,2"])
    first = run.run(run.plan().runs[0])
    programs.say("sbatch", "echo 7")
    assert main(["rerun", str(first.path), "seed=9", "--here"]) == 0
    path = capsys.readouterr().out.strip().splitlines()[-1].removeprefix("sweep: ")
    sweep = SweepFolder.open(path)
    (planned,) = sweep.plan().runs
    assert sweep.path.parent == run.path.parent
    assert len(programs.calls("sbatch")) == 1
    new, old = (OmegaConf.load(each.config) for each in (sweep.run(planned), first))
    assert (new.cluster, planned.seed, new.data.seed) == (old.cluster, 9, 9)
    assert fingerprint(new) == fingerprint(old)
    assert main(["rerun", str(first.path), "cluster=local", "--here", "--dry-run"]) == 0
    assert "launcher: local" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "harness rerun: name a run."),
        (["nowhere"], "nowhere: no such run folder"),
        (["RUN", "no.such=1"], "no: there is no such key or group."),
    ],
)
def test_what_is_asked_wrongly(
    words: list[str], message: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, _ = open_run(compose_config(WORDS), WORDS)
    assert main(["rerun", *(str(run.path) if word == "RUN" else word for word in words)]) == 2
    assert message in capsys.readouterr().err
