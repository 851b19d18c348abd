"""How a run is trained again: from its record, whichever command made it."""

from __future__ import annotations

import json
from dataclasses import replace

import yaml

from harness.cli import main
from harness.compare.load import load_runs
from harness.compare.report.differences import rerun_command, reruns
from harness.compare.run_data import RunData
from harness.compare.study import Options, study_of
from harness.compare.targets import find_targets


def test_a_command_a_run(study):
    found = reruns(study)
    assert [one.label for one in found] == [row.group.label for row in study.rows]
    for one, row in zip(found, study.rows, strict=True):
        assert one.commands == tuple(f"harness rerun {run.where}" for run in row.group.runs)


def test_it_names_what_rerun_takes(make_study, monkeypatch, tmp_path, capsys):
    """The words of a run by ``--config FILE`` do not say what it was: its record does."""
    study = make_study(prompts=0)
    run = study.runs[0]
    strange = run.folder.path.rename(run.folder.path.with_name("it's here"))
    (strange / "overrides.yaml").write_text("[]\n")
    about = json.loads((strange / "provenance.json").read_text())
    about["code"] = {}
    (strange / "provenance.json").write_text(
        json.dumps(about | {"command": "harness train --config run.yaml", "folder": str(tmp_path)})
    )
    monkeypatch.chdir(tmp_path)
    (again,) = load_runs(find_targets([str(strange)]).runs)
    command = rerun_command(again)
    assert command == """harness rerun 'outputs/demo/it'"'"'s here'"""
    assert main(["rerun", again.where, "--dry-run"]) == 0
    assert f"would run {again.where} again" in capsys.readouterr().out


def test_a_run_of_slurm_s_and_one_whose_folder_is_elsewhere(make_study):
    study = make_study(prompts=0)
    run = study.runs[0]
    config = yaml.safe_load(run.folder.config.read_text()) | {"cluster": {"launcher": "slurm"}}
    run.folder.config.write_text(yaml.safe_dump(config))
    (slurm,) = load_runs(find_targets([str(run.folder)]).runs)
    assert rerun_command(slurm) == f"harness rerun {run.where}"
    online: list[RunData] = [replace(each, folder=None, where="wandb:us/sums/1") for each in study.runs]
    assert all(one.commands == () for one in reruns(study_of(online, Options())))
