"""Hosts for the tests' Slurm that are as good as machines: each with its own network, processes, name and memory.

Made of Linux's namespaces on one bridge, so they need root, `ip` (iproute2) and `unshare`. The file system is shared,
but for one local folder a host.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil

PROGRAMS = ("ip", "nsenter", "unshare")
BOOT = """
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs "$LOCAL"
mount --bind "$HOSTS" /etc/hosts
hostname "$NAME"
"$@" &
wait $!  # as the first process it also reaps orphans
"""


class Hosts:
    """A network of hosts ``n1``, ``n2``, …; this machine is its gateway.

    Args:
        folder: Where it writes.
        count: How many.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.count, self.folder = count, folder
        self.number = next(n for n in range(100, 250) if not Path(f"/sys/class/net/hb{n}").exists())
        self.local = Path(tempfile.mkdtemp(prefix="hl-", dir="/tmp"))  # short, for the sockets in it
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        lines = [f"{self.gateway} {socket.gethostname()}", *(f"{self.address(i)} n{i}" for i in self.all())]
        (folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        _run("ip", "link", "add", self.bridge, "type", "bridge")
        _run("ip", "addr", "add", f"{self.gateway}/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")
        for i in self.all():
            space, cable = self._space(i), f"hv{self.number}.{i}"
            _run("ip", "netns", "add", space)
            _run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            _run("ip", "link", "set", cable, "master", self.bridge, "up")
            _run("ip", "-n", space, "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _run("ip", "-n", space, "link", "set", device, "up")

    @staticmethod
    def are_impossible() -> str:
        """Why there can be none here; empty where there can."""
        if missing := [program for program in PROGRAMS if not shutil.which(program)]:
            return f"{', '.join(missing)} not installed: python scripts/debian.py slurm"
        made = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], check=False)
        return "making namespaces is not allowed" if made.returncode else ""

    @property
    def gateway(self) -> str:
        """This machine's address on the network."""
        return f"10.215.{self.number}.1"

    @property
    def bridge(self) -> str:
        """The network's device on this machine."""
        return f"hb{self.number}"

    def all(self) -> range:
        """The hosts' numbers."""
        return range(1, self.count + 1)

    def address(self, host: int) -> str:
        """A host's address."""
        return f"10.215.{self.number}.{10 + host}"

    def boot(self, host: int, *command: str | Path, env: dict[str, str]) -> None:
        """Start a host whose first process is this command, in place of the one that has crashed."""
        spaces = ["nsenter", f"--net=/run/netns/{self._space(host)}", "unshare", "--mount", "--uts", "--ipc", "--pid"]
        variables = {"LOCAL": str(self.local), "HOSTS": str(self.folder / "hosts"), "NAME": f"n{host}"}
        with (self.folder / f"n{host}.out").open("ab") as out:
            self.running[host] = subprocess.Popen(
                [*spaces, "--fork", "--kill-child", "bash", "-c", BOOT, "boot", *command],
                env={**env, **variables}, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def crash(self, host: int) -> None:
        """End all its processes at once, as a loss of power does."""
        process = self.running.pop(host)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def processes(self, host: int) -> list[str]:
        """Names of what runs on a host."""
        return [name for _, name in self._processes(host)]

    def clear(self, host: int, keep: str) -> None:
        """End what runs on a host but its first process and ``keep``.

        A cluster whose Slurm tracks processes by cgroups does so when a job is over; here they can slip out.
        """
        for process, name in self._processes(host)[1:]:
            if name != keep:
                with suppress(psutil.NoSuchProcess):
                    process.kill()

    def local_files(self, host: int) -> list[Path]:
        """What lies in a host's local folder."""
        first, _ = self._processes(host)[0]
        return list(Path(f"/proc/{first.pid}/root/{self.local}").iterdir())

    def close(self) -> None:
        """End every host and take the network down."""
        for host in list(self.running):
            self.crash(host)
        for host in self.all():
            _run("ip", "link", "del", f"hv{self.number}.{host}")
            _run("ip", "netns", "del", self._space(host))
        _run("ip", "link", "del", self.bridge)
        self.local.rmdir()

    def _processes(self, host: int) -> list[tuple[psutil.Process, str]]:
        """With their names, the first one first."""
        found = []
        for process in psutil.Process(self.running[host].pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found.append((process, process.name()))
        return found

    def _space(self, host: int) -> str:
        return f"hn{self.number}-{host}"


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
