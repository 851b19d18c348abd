"""What a run may go on with, and what its record says then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.config.compose import compose_config
from harness.config.fingerprint import fingerprint
from harness.errors import ConfigurationError
from harness.launch.changes import record_changes, resumable_config, set_aside
from harness.launch.record import open_run
from harness.records.checkpoints import begin, complete
from harness.records.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.chdir(tmp_path)
    words = ["experiment=quickstart_tiny"]
    return open_run(compose_config(words), words)[0]


def test_what_decides_the_result_changes_on_request_and_is_told(run: RunFolder) -> None:
    words = ["algorithm.gamma=0.5", "trainer.save_freq=2"]
    with pytest.raises(ConfigurationError, match="add --allow-changes"):
        resumable_config(run, words)
    with pytest.raises(ConfigurationError, match="run_dir would differ") as caught:
        resumable_config(run, ["run_dir=elsewhere"], allow=True)
    assert caught.value.remedy == "Leave them out, or start a new run."
    config = resumable_config(run, words, allow=True)
    begin(run.checkpoints / "global_step_3")
    complete(run.checkpoints / "global_step_3")
    begin(run.checkpoints / "global_step_4")
    record_changes(run, config, words)
    about = json.loads(run.provenance.read_text())
    (change,) = about["changes"]
    assert (change["from_step"], change["overrides"]) == (3, words)
    assert change["changed"] == {"algorithm.gamma": [1.0, 0.5]}
    assert about["fingerprint"] == fingerprint(OmegaConf.load(run.config))
    assert OmegaConf.load(run.config).algorithm.gamma == 0.5
    record_changes(run, resumable_config(run, []), [])
    assert len(json.loads(run.provenance.read_text())["changes"]) == 1


def test_beginning_again_loses_nothing(run: RunFolder) -> None:
    for number in (1, 2):
        run.metrics.write_text(f"{number}\n")
        begin(run.checkpoints / "global_step_2")
        complete(run.checkpoints / "global_step_2")
        set_aside(run)
        assert (run.path / "earlier" / str(number) / "metrics.jsonl").read_text() == f"{number}\n"
    assert sorted(path.name for path in run.path.iterdir()) == [
        "code.diff", "config.yaml", "earlier", "overrides.yaml", "provenance.json",
    ]  # fmt: skip
    assert run.checkpoint_steps() == []
