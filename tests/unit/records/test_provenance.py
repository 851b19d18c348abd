"""Provenance says what ran, its patch brings real git to the very same files, and neither holds a secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from harness.records.code import MAX_FILE_BYTES, code_diff, code_state, own_state
from harness.records.provenance import Provenance, add_threads, collect, read_provenance
from harness.records.run_folder import RunFolder


def _git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True).stdout.decode()


@pytest.fixture
def repo(tmp_path):
    """A repository with one commit and every kind of change after it."""
    root = tmp_path / "project"
    (root / "sub").mkdir(parents=True)
    _git(root, "init", "-q")
    (root / "a.py").write_text("one\ntwo\nthree\n")
    (root / "gone.py").write_text("x\n")
    (root / "data.bin").write_bytes(bytes(range(256)))
    (root / ".gitignore").write_text("ignored/\n")
    _git(root, "add", ".")
    _git(root, "commit", "-qm", "first")
    (root / "a.py").write_text("one\n2\nthree\n")
    (root / "gone.py").unlink()
    (root / "data.bin").write_bytes(bytes(range(255, -1, -1)))
    (root / "staged.py").write_text("staged\n")
    _git(root, "add", "staged.py")
    (root / "sub" / "néw file.py").write_text("new\n")
    (root / "no_newline.txt").write_text("no newline")
    (root / "empty.py").write_text("")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    return root


def _tree(root):
    paths = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts)
    return {str(path.relative_to(root)): (path.read_bytes(), os.access(path, os.X_OK)) for path in paths}


def test_the_patch_brings_a_clean_checkout_to_the_same_files(repo, tmp_path):
    before = _git(repo, "status", "--porcelain")
    diff = code_diff(repo / "sub")
    assert _git(repo, "status", "--porcelain") == before, "the repository and its index are left alone"
    clone = tmp_path / "clone"
    _git(tmp_path, "clone", "-q", str(repo), str(clone))
    (tmp_path / "code.diff").write_bytes(diff.patch)
    _git(clone, "apply", str(tmp_path / "code.diff"))
    assert _tree(clone) == _tree(repo)


def test_the_patch_ignores_a_users_own_diff_settings(repo, tmp_path):
    for key, value in (("diff.noprefix", "true"), ("color.diff", "always"), ("diff.external", "false")):
        _git(repo, "config", key, value)
    (tmp_path / "code.diff").write_bytes(code_diff(repo).patch)
    clone = tmp_path / "clone"
    _git(tmp_path, "clone", "-q", str(repo), str(clone))
    _git(clone, "apply", str(tmp_path / "code.diff"))
    assert _tree(clone) == _tree(repo)


def test_the_patch_leaves_out_secrets_large_files_outputs_and_what_is_ignored(repo):
    (repo / ".env").write_text("KEY=very-secret\n")
    (repo / "weights.bin").write_bytes(b"\0" * (MAX_FILE_BYTES + 1))
    for folder in ("outputs", "ignored"):
        (repo / folder).mkdir()
        (repo / folder / "x.txt").write_text("noise-in-" + folder)
    (repo / "client.py").write_text("TOKEN = 'hf_" + "a" * 30 + "'\n")
    diff = code_diff(repo)
    assert diff.left_out == (".env (may hold credentials)", "weights.bin (1.0 MB)")
    for word in (b"very-secret", b"noise-in", b"hf_aaa", b"weights"):
        assert word not in diff.patch
    assert b"TOKEN = '***'" in diff.patch


def test_a_repository_without_a_commit_is_patched_from_nothing(tmp_path):
    root = tmp_path / "new"
    root.mkdir()
    _git(root, "init", "-q")
    (root / "a.py").write_text("x\n")
    state = code_state(root)
    assert (state.commit, state.dirty, state.branch) == (None, True, "main")
    other = tmp_path / "other"
    other.mkdir()
    _git(other, "init", "-q")
    (tmp_path / "code.diff").write_bytes(code_diff(root).patch)
    _git(other, "apply", str(tmp_path / "code.diff"))
    assert (other / "a.py").read_text() == "x\n"


def test_a_clean_repository_has_an_empty_patch(repo):
    _git(repo, "add", "-A")
    _git(repo, "commit", "-qm", "second")
    assert code_diff(repo).patch == b""
    state = code_state(repo / "sub")
    assert (state.dirty, state.branch, state.repository) == (False, "main", str(repo))
    assert state.commit == _git(repo, "rev-parse", "HEAD").strip()


def test_outside_a_repository_there_is_no_code_state(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = RunFolder.create(tmp_path, "demo")
    record = Provenance(tmp_path).write(folder)
    assert record["code"]["commit"] is None
    assert folder.code_diff.read_bytes() == b""


def test_a_hooks_git_variables_do_not_answer_for_another_repository(repo, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    _git(elsewhere, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    assert code_state(repo).repository == str(repo)


def test_the_record_is_complete_and_holds_no_secret(repo, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "very-secret")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    folder = RunFolder.create(repo.parent, "demo")
    command = ["harness", "train", "seed=3", "+tracking.api_key=very-secret", "name=two words"]
    Provenance(repo).write(folder, seed=3, fingerprint="abc", command=command)
    text = folder.provenance.read_text()
    record = json.loads(text)
    assert "very-secret" not in text
    assert record["command"] == "harness train seed=3 '+tracking.api_key=***' 'name=two words'"
    assert (record["seed"], record["fingerprint"], record["environment"]["SLURM_JOB_ID"]) == (3, "abc", "77")
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"verl", "torch", "ray", "transformers", "vllm", "hydra-core", "omegaconf"} <= set(record["versions"])
    assert record["machine"]["cores"] > 0
    assert record["machine"]["memory_gb"] > 0
    assert record["code"]["dirty"] is True


def test_the_packages_own_state_is_that_of_its_source_or_none():
    state = own_state()
    assert state.commit is None or len(state.commit) == 40


def test_collecting_imports_none_of_what_it_names():
    heavy = {"torch", "verl", "ray", "transformers"}
    program = (
        "import sys\nfrom harness.records.provenance import collect\ncollect()\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "[]\n"
    assert collect()["versions"]["torch"] is not None


def test_the_threads_that_a_training_computes_with_are_added(repo, monkeypatch):
    folder = RunFolder.create(repo.parent, "demo")
    add_threads(folder, 2)
    assert not folder.provenance.exists(), "nothing is known of it"
    before = Provenance(repo).write(folder, seed=3)
    add_threads(folder, 2)
    record = read_provenance(folder)
    threads = record.pop("threads")
    assert record == before
    assert (threads["each_process"], threads["OMP_NUM_THREADS"]) == (2, "2")
    assert (threads["cores"], threads["host"]) == (record["machine"]["cores"], record["machine"]["host"])
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    add_threads(folder, None)
    assert read_provenance(folder)["threads"]["OMP_NUM_THREADS"] == "7"
