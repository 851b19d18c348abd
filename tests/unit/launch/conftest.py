"""For the tests of launching: Slurm's commands as shell scripts in front of the path, for what a test has them say."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

NAMES = ("sbatch", "squeue", "scontrol", "sacct", "scancel", "sacctmgr", "srun")
NO_ACCOUNTING = "echo 'Slurm accounting storage is disabled' >&2; exit 1"


class Programs:
    """Scripts that note each call in ``calls`` before they answer.

    Args:
        folder: Where they lie.
        monkeypatch: For the path.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "programs"
        self.folder.mkdir()
        monkeypatch.setenv("PATH", f"{self.folder}:{os.environ['PATH']}")
        for name in NAMES:
            self.say(name)
        self.say("sacct", NO_ACCOUNTING)

    def say(self, name: str, body: str = "exit 0") -> None:
        """What a command does from now on, in the shell's words."""
        program = self.folder / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> "{self.folder}/calls"\n{body}\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def fail(self, name: str, message: str) -> None:
        """It says no from now on."""
        self.say(name, f"echo '{message}' >&2; exit 1")

    def calls(self, name: str) -> list[str]:
        """The arguments that it was called with."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.is_file() else []
        return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Slurm's commands, which say nothing at first; there is no accounting."""
    return Programs(tmp_path, monkeypatch)
