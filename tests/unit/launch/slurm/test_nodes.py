"""What a node does before its run: which address it has, and where it meets the others. `scontrol` is a script here."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import psutil
import pytest

from harness.errors import HarnessError
from harness.launch.slurm.nodes import driving, is_first, node_address, serve
from harness.records.meeting import Meeting

SCONTROL = """#!/bin/sh
[ "$2" = hostnames ] && { echo n1; echo n2; exit; }
case "$3" in
  n1) echo "NodeName=n1 Arch=x86_64 NodeAddr=127.0.1.1 NodeHostName=n1" ;;
  n2) echo "NodeName=n2 NodeAddr=127.0.0.2 NodeHostName=n2" ;;
  n3) echo "NodeName=n3 NodeAddr=10.1.2.3 NodeHostName=n3" ;;
  n4) echo "NodeName=n4 NodeAddr=no-such-host.invalid NodeHostName=n4" ;;
esac
"""


@pytest.fixture(autouse=True)
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "scontrol"
    program.parent.mkdir()
    program.write_text(SCONTROL)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    variables = {"SLURM_JOB_ID": "7", "SLURM_RESTART_COUNT": "1", "SLURMD_NODENAME": "n1", "SLURM_PROCID": "0"}
    variables |= {"SLURM_JOB_NODELIST": "n[1-2]", "PATH": f"{program.parent}:{os.environ['PATH']}"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(os, "environ", os.environ.copy())


def test_the_address_is_the_one_that_slurm_knows() -> None:
    assert node_address("n3") == "10.1.2.3"


def test_a_name_that_is_the_loopbacks_on_its_own_host() -> None:
    assert node_address("n1") == "127.0.0.1"  # from which this host speaks to n2


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(HarnessError, match="the address of node n4, cannot be resolved on"):
        node_address("n4")


def test_another_node_that_has_no_address_tells_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURMD_NODENAME", "n4")
    monkeypatch.setattr("signal.signal", lambda number, handler: None)  # pytest's own stay as they are
    with pytest.raises(SystemExit) as caught:
        serve(tmp_path, 2)
    assert caught.value.code == 0
    (failure,) = Meeting(str(tmp_path / "ray-7.1"), 2, "n1", "").failures()
    assert failure.startswith("node n4: no-such-host.invalid, the address of node n4, cannot be resolved on")


def test_one_node_meets_nobody(tmp_path: Path) -> None:
    before = dict(os.environ)
    with driving(tmp_path, 1):
        assert os.environ == before
    assert not list(tmp_path.glob("ray-*"))


def test_the_first_node_opens_a_meeting_of_this_start_alone(tmp_path: Path) -> None:
    assert is_first()
    with driving(tmp_path, 2):
        meeting = Meeting.from_environment()
        assert meeting == Meeting(str(tmp_path / "ray-7.1"), 2, "n1", "127.0.0.1")
        assert stat.S_IMODE(Path(meeting.folder).stat().st_mode) == 0o700
        assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
        loopback = [name for name, each in psutil.net_if_addrs().items() if any(a.address == "127.0.0.1" for a in each)]
        assert os.environ["GLOO_SOCKET_IFNAME"] == loopback[0]
        assert not meeting.is_closed()
    assert meeting.is_closed()


def test_a_network_that_the_user_has_chosen_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "ib0")
    with driving(tmp_path, 2):
        assert os.environ["GLOO_SOCKET_IFNAME"] == "ib0"
