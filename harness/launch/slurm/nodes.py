"""A run over several nodes: Slurm starts the same command on each; the first drives the run, the others serve it."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psutil

from harness.errors import HarnessError
from harness.launch.slurm.commands import slurm
from harness.records.meeting import Meeting

SERVE = ("-P", "-u", "-m", "harness.backend.node")  # by name: this layer does not import the backend


def is_first() -> bool:
    """Whether this is the task that drives the run."""
    return os.environ.get("SLURM_PROCID", "0") == "0"


@contextlib.contextmanager
def driving(logs: Path, nodes: int) -> Iterator[None]:
    """For the body, a Ray that this process starts is one that the other nodes join.

    Args:
        logs: The sweep's folder of logs, which the nodes share.
        nodes: How many there are; 1 changes nothing.
    """
    if nodes == 1:
        yield
        return
    meeting = _meeting(logs, nodes)
    Path(meeting.folder).mkdir(mode=0o700, exist_ok=True)
    os.environ |= {**_environment(meeting), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        yield
    finally:
        meeting.close()


def serve(logs: Path, nodes: int) -> NoReturn:
    """Become the process that serves a run's first node; it ends when that one does.

    A scheduler's signals are for the first node, which saves; until it has, this one is needed.
    """
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        os.environ |= _environment(_meeting(logs, nodes))
    except HarnessError as error:
        folder = Path(_folder(logs))
        folder.mkdir(mode=0o700, exist_ok=True)
        Meeting(str(folder), nodes, os.environ["SLURMD_NODENAME"], address="").fail(error.message)
        sys.exit(0)  # Slurm would end the first node, too, which records why
    os.execv(sys.executable, [sys.executable, *SERVE])


def _folder(logs: Path) -> str:
    """The same one on each node, and another one when the job is started again."""
    return str(logs / f"ray-{os.environ['SLURM_JOB_ID']}.{os.environ.get('SLURM_RESTART_COUNT', '0')}")


def _meeting(logs: Path, nodes: int) -> Meeting:
    name = os.environ["SLURMD_NODENAME"]
    return Meeting(_folder(logs), nodes, name, node_address(name))


def _environment(meeting: Meeting) -> dict[str, str]:
    """With gloo on the network that Slurm knows the node by; by itself it takes the one of the host's own name."""
    interfaces = psutil.net_if_addrs().items()
    mine = [name for name, addresses in interfaces if any(each.address == meeting.address for each in addresses)]
    chosen = {} if "GLOO_SOCKET_IFNAME" in os.environ or not mine else {"GLOO_SOCKET_IFNAME": mine[0]}
    return {**meeting.environment(), **chosen}


def node_address(name: str) -> str:
    """The address that other nodes reach this one at.

    Args:
        name: This node's name in Slurm.

    Raises:
        HarnessError: It cannot be found out.
    """
    address = _resolved(name)
    if not address.startswith("127."):
        return address
    # a host's own name is often its loopback's: then the address from which it would speak to another node
    names = slurm("scontrol", "show", "hostnames", os.environ["SLURM_JOB_NODELIST"]).stdout.split()
    other = next(each for each in names if each != name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((_resolved(other), 9))  # sends nothing
        return str(probe.getsockname()[0])


def _resolved(name: str) -> str:
    found = re.search(r"NodeAddr=(\S+)", slurm("scontrol", "show", "node", name).stdout)
    host = found[1] if found else name
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise HarnessError(
            f"{host}, the address of node {name}, cannot be resolved on {socket.gethostname()} ({error}).",
            "The nodes of a run have to know each other's names: ask the cluster's administrators.",
        ) from error
