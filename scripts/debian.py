"""Install the few Debian packages that no Python package brings, where that is possible without asking.

``python scripts/debian.py browser slurm`` brings headless Chromium, for the tests that look at a report, and Slurm, for
those that run sweeps on it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path


def install(packages: list[str], why: str, required: bool = True) -> None:
    """Install Debian packages, or say what to do where this user cannot.

    Args:
        packages: Names of Debian packages; an empty list does nothing.
        why: What needs them, for the message.
        required: Whether to stop where they cannot be installed from here.

    Raises:
        SystemExit: They are required and this is no Debian, or not its root user.
        subprocess.CalledProcessError: apt failed.
    """
    if not packages:
        return
    if not may_install():
        names = " ".join(packages)
        message = f"Missing: {names} ({why}). On Debian or Ubuntu: sudo apt-get install {names}"
        if required:
            raise SystemExit(message)
        print(message, file=sys.stderr)
        return
    print(f"installing {' '.join(packages)} ({why})", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    subprocess.run(command, check=True, env=quiet, stdout=subprocess.DEVNULL)


def may_install() -> bool:
    """Whether this is a Debian and its root user."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def missing_compiler() -> list[str]:
    """Return the packages that compiling a Python extension still needs here."""
    headers = Path(sysconfig.get_path("include"), "Python.h")
    compiler = [] if shutil.which("cc") else ["gcc", "libc6-dev"]
    return compiler + ([] if headers.is_file() else [f"python3.{sys.version_info.minor}-dev"])


def missing_browser() -> list[str]:
    """Return the packages that taking a screenshot of a report still needs here."""
    return [] if shutil.which("chromium") else ["chromium", "fonts-dejavu-core"]


def missing_slurm() -> list[str]:
    """Return the packages that a Slurm on this machine still needs."""
    programs = {"slurmctld": "slurmctld", "slurmd": "slurmd", "sbatch": "slurm-client", "munged": "munge"}
    programs |= {"ip": "iproute2"}  # for nodes with networks of their own
    return [package for program, package in programs.items() if not shutil.which(program)]


WANTED = {"browser": missing_browser, "slurm": missing_slurm}

if __name__ == "__main__":
    if not sys.argv[1:] or not set(sys.argv[1:]) <= WANTED.keys():
        raise SystemExit(__doc__)
    for name in sys.argv[1:]:
        install(WANTED[name](), why=f"the {name} tests need it", required=False)
