"""What a command says that is interrupted, or finds a full disk, before it is any run's: one line, and an exit code."""

from __future__ import annotations

import errno

import pytest

from harness import cli
from harness.cli import main


def ended_by(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def command(*_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "_command", lambda name: command)
    return main(["train"])


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended_by(KeyboardInterrupt(), monkeypatch) == 130
    assert capsys.readouterr().err == "harness train: interrupted before it was done.\n"


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended_by(OSError(errno.EDQUOT, "Disk quota exceeded", "sweep.yaml"), monkeypatch) == 1
    told = "error: No space is left for sweep.yaml (Disk quota exceeded).\n  → Free some, and try again.\n"
    assert capsys.readouterr().err == told


def test_another_error_of_the_system_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PermissionError):
        ended_by(PermissionError(errno.EACCES, "Permission denied"), monkeypatch)
