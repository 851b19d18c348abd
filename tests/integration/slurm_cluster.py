"""A real Slurm on this machine for the tests: two nodes, without accounting, gone when the tests are.

Needs the Debian packages slurmctld, slurmd, slurm-client and munge (`python scripts/debian.py slurm`), and root.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slurm_hosts import Hosts

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged")
NODES = 2
LOOPBACK = "CommunicationParameters=NoCtldInAddrAny,NoInAddrAny"

CONF = """ClusterName=test
SlurmctldHost={host}({address})
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={dir}/munge.sock,cred_expire=5
CredType=cred/munge
{network}
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.%n.pid
SlurmctldLogFile={dir}/slurmctld.log
SlurmdLogFile={dir}/slurmd.%n.log
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool/%n
MailProg=/bin/true
ProctrackType=proctrack/{tracked}
TaskPlugin=task/{limited}
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
PropagateResourceLimits=NONE
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=15
InactiveLimit=0
KillWait=25
MinJobAge=300
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
AccountingStorageType=accounting_storage/none
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE DefMemPerNode=1000 PriorityTier=1 State=UP
PartitionName=high Nodes=ALL Default=NO MaxTime=INFINITE DefMemPerNode=1000 PriorityTier=10 PreemptMode=OFF State=UP
"""


CGROUP = """CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainRAMSpace=yes
ConstrainSwapSpace=yes
AllowedSwapSpace=0
"""


def is_possible() -> str:
    """Why there can be no Slurm here; empty where there can."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        return f"{', '.join(missing)} not installed: python scripts/debian.py slurm"
    return "" if os.geteuid() == 0 else "starting Slurm's daemons needs root"


@contextmanager
def slurm_cluster(folder: Path, hosts: Hosts | None = None, cgroups: bool = False) -> Iterator[dict[str, str]]:
    """Start it, and stop it again.

    Args:
        folder: Where it writes.
        hosts: What the nodes run on, in place of this machine.
        cgroups: Whether jobs are held to their memory and end with all their processes, as on a cluster.

    Yields:
        What the environment of its users needs.
    """
    port = _free_port()
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    nodes = "\n".join(
        f"NodeName=n{number} NodeHostname=n{number} NodeAddr={hosts.address(number) if hosts else '127.0.0.1'} "
        f"Port={port + number} CPUs=8 RealMemory=16000"
        for number in range(1, NODES + 1)
    )
    conf = folder / "slurm.conf"
    address, network = (hosts.gateway, "") if hosts else ("127.0.0.1", LOOPBACK)
    controller = {"host": socket.gethostname(), "address": address, "network": network, "port": port}
    ways = {"tracked": "cgroup" if cgroups else "linuxproc", "limited": "cgroup" if cgroups else "none"}
    conf.write_text(CONF.format(**controller, **ways, dir=folder, user="root", nodes=nodes))
    if cgroups:
        conf.with_name("cgroup.conf").write_text(CGROUP)
    environment = {"SLURM_CONF": str(conf)}
    env = os.environ | environment
    pids = [
        folder / "munged.pid",
        folder / "slurmctld.pid",
        # a host's processes have numbers of their own there
        *(folder / f"slurmd.n{i}.pid" for i in range(1, NODES + 1) if not hosts),
    ]
    try:
        munge = [f"--key-file={key}", f"--socket={folder}/munge.sock", f"--pid-file={folder}/munged.pid",
                 f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge.seed"]  # fmt: skip
        subprocess.run(["munged", "--force", *munge], check=True)
        subprocess.run(["slurmctld", "-f", conf], check=True, env=env)
        for number in range(1, NODES + 1):
            (folder / "spool" / f"n{number}").mkdir()
            start_node(number, env, hosts)
        wait_until_idle(env, folder)
        yield environment
    finally:
        subprocess.run(["scancel", "--full", "-u", "root"], check=False, env=env, capture_output=True)
        for file in reversed(pids):
            _stop(file)


def start_node(number: int, env: dict[str, str], hosts: Hosts | None = None) -> None:
    """Start a node's daemon, and its host where it has one."""
    command = ["slurmd", "-N", f"n{number}", "-f", env["SLURM_CONF"]]
    if hosts:
        hosts.boot(number, *command, "-D", env=env)
    else:
        subprocess.run(command, check=True, env=env)


def wait_until_idle(env: dict[str, str], folder: Path) -> None:
    """Until every node waits for work."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        said = subprocess.run(["sinfo", "-h", "-N", "-p", "main", "-t", "idle", "-o", "%N"], env=env, check=False,
                              capture_output=True, text=True)  # fmt: skip
        if len(said.stdout.split()) == NODES:
            return
        time.sleep(0.1)
    raise AssertionError(f"Slurm's nodes are not idle:\n{(folder / 'slurmctld.log').read_text()[-3000:]}")


def _stop(pid_file: Path) -> None:
    """End one of our own daemons and wait for it."""
    with suppress(FileNotFoundError, ValueError, ProcessLookupError):
        pid = int(pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        for _ in range(100):
            os.kill(pid, 0)
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


def _free_port() -> int:
    """The first of a few free ports that follow each other, apart from those of other processes of the test run."""
    first = 27100 + 400 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in range(first, first + 400, 10):
        with suppress(OSError):
            for number in range(NODES + 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + number))
            return port
    raise AssertionError("no free ports for Slurm")
