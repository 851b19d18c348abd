"""One training for all tests, as it starts slowly."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from watched import Training, killed_and_resumed


@pytest.fixture(scope="session")
def training() -> Iterator[Training]:
    """A training that was killed and resumed, after its end."""
    with tempfile.TemporaryDirectory(prefix="hv-") as place, pytest.MonkeyPatch.context() as patch:
        project, temporary = Path(place) / "project", Path(place) / "tmp"  # a short name: sockets lie there
        project.mkdir()
        temporary.mkdir()
        patch.setenv("TMPDIR", str(temporary))
        patch.setenv("RAY_TMPDIR", str(temporary))
        yield killed_and_resumed(project, temporary)
