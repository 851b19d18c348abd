"""The folder in which a run's nodes meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.records.meeting import VARIABLE, Head, Meeting

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_meeting_from_its_opening_to_its_end(tmp_path: Path) -> None:
    first, other = (Meeting(str(tmp_path), 2, name, "10.0.0.1") for name in ("n1", "n2"))
    head = Head("10.0.0.1:6379", "secret", {"num_gpus": 8}, {"OMP_NUM_THREADS": "4"})
    assert other.head() is None
    first.open(head)
    assert other.head() == head
    assert not other.is_closed()
    other.fail("Ray ended with exit code 1")
    assert first.failures() == ["node n2: Ray ended with exit code 1"]
    first.close()
    assert other.is_closed()
    assert "secret" not in "".join(path.read_text() for path in tmp_path.iterdir())
    first.close()  # twice changes nothing


def test_a_process_is_told_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Meeting.from_environment() is None
    meeting = Meeting("/shared/meeting", 3, "n2", "10.0.0.2")
    monkeypatch.setenv(VARIABLE, meeting.environment()[VARIABLE])
    assert Meeting.from_environment() == meeting
