"""A part's processes end with its time, whatever they have started."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import Deadline, TimeOver, group, output, run

PARENT = "sleep 600 & echo $! > child.tmp; mv child.tmp child; wait"


def alive(pid: int) -> bool:
    """Whether it runs: one that nobody has waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_group_ends_with_its_block(tmp_path: Path) -> None:
    with pytest.raises(TimeOver), group(["sh", "-c", PARENT], cwd=tmp_path) as process:
        while not (tmp_path / "child").exists():
            assert process.poll() is None
        child = int((tmp_path / "child").read_text())
        assert alive(child)
        raise TimeOver
    assert process.returncode is not None
    while alive(child):
        time.sleep(0.01)  # the signal has been sent


def test_commands_get_the_time_that_is_left() -> None:
    endless = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(TimeOver):
        run(endless, Deadline(0.2))
    with pytest.raises(TimeOver):
        output(endless, Deadline(0.2))
    with pytest.raises(TimeOver):
        Deadline(0).require()


def test_commands_that_end_in_time() -> None:
    assert run([sys.executable, "-c", "raise SystemExit(3)"], Deadline(60)) == 3
    assert output([sys.executable, "-c", "print('said')"], Deadline(60)) == (0, "said\n")
    Deadline().require()
