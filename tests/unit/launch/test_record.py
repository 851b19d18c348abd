"""A run whose record is interrupted, or finds no room, before anything of the run begins."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from harness.config.compose import compose_config
from harness.errors import DiskFull, HarnessError, Interrupted
from harness.launch import record
from harness.launch.record import open_run
from harness.records.run_folder import RunFolder
from harness.records.status import Status, read_status


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ended_by(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> tuple[HarnessError, Status]:
    """What opening a run comes to that gets this error near its end."""

    def provenance(**_: object) -> None:
        raise error

    monkeypatch.setattr(record, "Provenance", provenance)
    with pytest.raises(HarnessError) as caught:
        open_run(compose_config(["experiment=quickstart_tiny", "run_id=one"]))
    (folder,) = Path("outputs").glob("*/one")
    return caught.value, read_status(RunFolder(folder))


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    error, status = ended_by(KeyboardInterrupt(), monkeypatch)
    assert isinstance(error, Interrupted)
    assert "outputs/quickstart_tiny/one was stopped before it began" in error.message
    assert status.state == "cancelled"


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    error, status = ended_by(OSError(errno.ENOSPC, "No space left on device", "code.diff"), monkeypatch)
    assert isinstance(error, DiskFull)
    assert error.message == "No space is left for code.diff (No space left on device)."
    assert (status.state, status.error.type if status.error else "") == ("failed", "DiskFull")
