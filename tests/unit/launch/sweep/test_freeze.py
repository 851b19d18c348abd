"""Frozen source: what is edited afterwards changes nothing, equal content is kept once, data is linked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.launch.sweep.freeze import LARGEST, freeze


@pytest.fixture(params=["with git", "without"])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "project"
    (folder / "conf/experiment").mkdir(parents=True)
    (folder / "mine.py").write_text("answer = 1\n")
    (folder / "conf/experiment/mine.yaml").write_text("seed: 1\n")
    (folder / ".env").write_text("WANDB_API_KEY=secret\n")
    (folder / "data").mkdir()
    (folder / "data/train.parquet").write_bytes(b"rows")
    (folder / "big.py").write_bytes(b"#" * (LARGEST + 1))
    (folder / "outputs").mkdir()
    (folder / "env").mkdir()
    (folder / "env/pyvenv.cfg").write_text("home = /usr/bin\n")
    (folder / "env/module.py").write_text("of = 'a library'\n")
    if request.param == "with git":
        (folder / ".gitignore").write_text("data/\noutputs/\n")
        subprocess.run(["git", "init", "-q", folder], check=True)
        subprocess.run(["git", "-C", folder, "add", "mine.py"], check=True)  # the rest is new and not added
    return folder


def test_code_is_copied_and_data_linked(project: Path, tmp_path: Path) -> None:
    copy = freeze(project, tmp_path / "code", leave=(project / "outputs",))
    (project / "mine.py").write_text("answer = 2\n")
    (project / "conf/experiment/mine.yaml").write_text("seed: 2\n")
    assert (copy / "mine.py").read_text() == "answer = 1\n"
    assert not (copy / "mine.py").is_symlink()
    assert (copy / "conf/experiment/mine.yaml").read_text() == "seed: 1\n"
    assert (copy / "data/train.parquet").read_bytes() == b"rows"
    assert (copy / "data").is_symlink()
    assert (copy / "big.py").is_symlink()  # data by its size
    assert (copy / ".env").is_symlink()  # no second copy of a secret
    assert not (copy / "outputs").exists()
    assert (copy / "env").is_symlink()  # an environment is no source


def test_the_same_source_is_kept_once_and_another_beside_it(project: Path, tmp_path: Path) -> None:
    first = freeze(project, tmp_path / "code")
    assert freeze(project, tmp_path / "code") == first
    (project / "mine.py").write_text("answer = 2\n")
    second = freeze(project, tmp_path / "code")
    assert second != first
    assert (first / "mine.py").read_text() == "answer = 1\n"
    assert sorted(path.name for path in (tmp_path / "code").iterdir()) == sorted([first.name, second.name])


def test_the_harness_itself_is_frozen_where_it_is_a_checkout(project: Path, tmp_path: Path) -> None:
    copy = freeze(project, tmp_path / "code")
    assert (copy / "harness/launch/job.py").is_file()
    assert not (copy / "harness/launch/job.py").is_symlink()
    assert (copy / "conf/train.yaml").is_file()


def test_submodules_repositories_within_and_ignored_files_are_source_too(tmp_path: Path) -> None:
    def git(folder: Path, *words: str) -> None:
        given = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"]
        subprocess.run(["git", "-C", folder, *given, *words], check=True, capture_output=True)

    project, library, within = tmp_path / "project", tmp_path / "library", tmp_path / "project" / "within"
    for folder in (library, project, within):
        folder.mkdir()
        git(folder, "init", "-q")
        (folder / "module.py").write_text("answer = 1\n")
    git(library, "add", ".")
    git(library, "commit", "-qm", "first")
    (project / ".gitignore").write_text("private.yaml\ndata/\n")
    (project / "private.yaml").write_text("seed: 1\n")
    (project / "data").mkdir()
    (project / "data" / "script.py").write_text("made = 1\n")
    git(project, "submodule", "add", "-q", str(library), "sub")
    copy = freeze(project, tmp_path / "code")
    for name in ("module.py", "sub/module.py", "within/module.py", "private.yaml"):
        assert (copy / name).is_file(), name
        assert not any((copy / part).is_symlink() for part in (name, *Path(name).parents)), name
    assert (copy / "data").is_symlink()
