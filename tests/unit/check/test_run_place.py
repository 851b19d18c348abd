"""Where a run's folder would be made, seen before anything starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.check.run_place import run_place_problems

if TYPE_CHECKING:
    import pytest


def messages(**tree: object) -> list[str]:
    return [f"{problem.key}: {problem.message}" for problem in run_place_problems({"name": "a", "run_id": None} | tree)]


def test_a_folder_that_can_be_made_is_no_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert messages(output_root="outputs") == []
    assert messages(output_root=str(tmp_path / "a/b/c"), run_id="one") == []


def test_a_file_and_a_folder_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.touch()
    assert messages(output_root=str(file / "x")) == [f"output_root: output_root={file / 'x'}: {file} is no folder."]
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    assert messages(output_root=str(tmp_path)) == [
        f"output_root: output_root={tmp_path}: {tmp_path} may not be written to."
    ]


def test_a_name_that_cannot_name_a_folder(tmp_path: Path) -> None:
    assert messages(name="a b", output_root=str(tmp_path)) == ["name: name='a b' cannot name a folder"]
