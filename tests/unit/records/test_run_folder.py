"""Run folders are made once, whole, and recognised."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from harness.errors import ConfigurationError
from harness.records.checkpoints import begin, complete
from harness.records.run_folder import RunFolder, new_run_id
from harness.records.status import read_status


def test_a_new_folder_lies_under_its_name_and_is_pending(tmp_path):
    folder = RunFolder.create(tmp_path, "demo")
    assert folder.path.parent == tmp_path / "demo"
    status = read_status(folder)
    assert (status.state, status.run_id) == ("pending", folder.run_id)
    assert [entry.name for entry in folder.path.parent.iterdir()] == [folder.run_id]


def test_the_files_have_the_names_of_the_contract(tmp_path):
    folder = RunFolder(tmp_path)
    paths = (
        folder.config, folder.overrides, folder.provenance, folder.code_diff, folder.status, folder.metrics,
        folder.stages, folder.signs, folder.stacks, folder.generations, folder.checkpoints, folder.log, folder.report,
    )  # fmt: skip
    assert [path.name for path in paths] == [
        "config.yaml", "overrides.yaml", "provenance.json", "code.diff", "status.json", "metrics.jsonl",
        "stages.jsonl", "signs", "stacks", "generations", "checkpoints", "train.log", "report.html",
    ]  # fmt: skip


def test_a_run_is_never_overwritten(tmp_path):
    folder = RunFolder.create(tmp_path, "demo", "one")
    folder.log.write_text("precious")
    with pytest.raises(ConfigurationError, match=r"run_id=one: .*exists already") as caught:
        RunFolder.create(tmp_path, "demo", "one")
    assert "--resume" in caught.value.remedy
    assert folder.log.read_text() == "precious"
    assert len(list((tmp_path / "demo").iterdir())) == 1


def test_of_many_at_once_exactly_one_gets_a_given_id(tmp_path):
    def make(_):
        try:
            return RunFolder.create(tmp_path, "demo", "one")
        except ConfigurationError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [folder for folder in pool.map(make, range(16)) if folder]
    assert len(made) == 1
    assert len(list((tmp_path / "demo").iterdir())) == 1


def test_run_ids_sort_by_time_and_differ():
    early, late = (new_run_id(datetime(2026, 1, 2, hour, tzinfo=UTC)) for hour in (3, 4))
    assert early < late
    assert early.startswith("20260102-030000-")
    assert len({new_run_id() for _ in range(50)}) == 50


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", ".hidden", "", "a b"])
def test_a_name_that_is_no_plain_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"name=.*cannot name a folder"):
        RunFolder.create(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_opening_something_else_says_which_runs_there_are(tmp_path):
    run = RunFolder.create(tmp_path, "demo", "one")
    assert RunFolder.open(run.path).path == run.path
    with pytest.raises(ConfigurationError, match="not a run folder") as caught:
        RunFolder.open(tmp_path / "demo")
    assert str(run.path) in caught.value.remedy
    with pytest.raises(ConfigurationError, match="no such run folder"):
        RunFolder.open(tmp_path / "demo" / "two")


def test_checkpoint_steps_are_numbers_in_order(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.checkpoint_steps() == []
    assert folder.last_checkpoint() is None
    for name in ("global_step_5", "global_step_10", "latest", "global_step_x"):
        begin(folder.checkpoints / name)
        complete(folder.checkpoints / name)
    begin(folder.checkpoints / "global_step_15")
    assert folder.checkpoint_steps() == [5, 10]
    assert folder.last_checkpoint() == 10


def test_a_path_is_shown_as_a_person_types_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunFolder(tmp_path / "outputs" / "a").shown() == "outputs/a"
    assert RunFolder("/elsewhere/a").shown() == "/elsewhere/a"


def test_a_place_where_nothing_can_be_made_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(
        ConfigurationError, match=r"output_root=.*file: no run folder can be made there: Not a directory"
    ):
        RunFolder.create(file, "name")
