"""Fixtures that run harness commands; see `runs`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from runs import ROOT, SHORT, Finished, command, environment

# what takes longest, so that no process is left with it at the end; files are dealt to the processes whole, in this order
FIRST = ("test_slurm", "test_check_fuzz", "test_training", "test_slurm_nodes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first."""
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Finished]:
    """Run a harness command in a new folder (or the one given) and wait for its end."""

    def run(*arguments: str, folder: Path | None = None, root: Path = ROOT) -> Finished:
        folder = folder or tmp_path_factory.mktemp("project")
        result = subprocess.run(
            command(*arguments),
            cwd=folder,
            env=environment(root),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        return Finished(result.returncode, result.stdout, result.stderr, folder)

    return run


@pytest.fixture(scope="module")
def train(harness: Callable[..., Finished]) -> Callable[..., Finished]:
    """A short training that must succeed."""

    def run(*overrides: str, folder: Path | None = None, root: Path = ROOT) -> Finished:
        finished = harness("train", *SHORT, *overrides, folder=folder, root=root)
        detail = finished.err
        if finished.code and finished.err and list(finished.folder.glob("outputs/*/*/train.log")):
            detail += finished.log()[-6000:]
        assert finished.code == 0, detail
        return finished

    return run
