"""Make an environment: a virtual environment with a lock of requirements/ and this project, editable.

    python3.11 scripts/setup_env.py [--venv .venv] [--lock cpu|gpu|vllm]

The locks: for a processor, for NVIDIA GPUs with vLLM, for a processor with vLLM. Needs only Python's standard library.
A second call changes nothing; a call after an interrupted one, or after a change of the lock, builds the environment
afresh, so that it never holds anything but the lock.

Torch comes first and by pip, because on Linux the registry's own torch brings several GB of CUDA with it; the rest
comes by uv, which is much faster, and by pip where uv cannot be had.

One package, pycosat, comes as C source. Where there is no compiler and this user cannot install one, it is left out:
only reasoning-gym's zebra_puzzles use it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import debian

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {name: ROOT / "requirements" / f"{name}.lock" for name in ("cpu", "gpu", "vllm")}
UV = "uv==0.13.9"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST, NEWEST = (3, 11), (3, 12)
STAMP_NAME = ".harness-setup"  # lies in the environment; its fingerprint, written last
LEFT_OUT = "pycosat"  # what cannot be had without a compiler
STAND_IN = """# Stands in for pycosat, which reasoning-gym imports and only its zebra_puzzles use.
def itersolve(*arguments, **settings):
    raise RuntimeError(
        "zebra_puzzles need pycosat, which comes as C source, and `make setup` found no compiler. "
        "Install one (on Debian or Ubuntu: {packages}), then run `make setup` again."
    )
"""

started = time.monotonic()


def say(text: str) -> None:
    """Print one line of progress with the seconds since the start."""
    print(f"[setup {time.monotonic() - started:5.1f} s] {text}", flush=True)


def fingerprint(lock: Path) -> str:
    """Return a hash of everything that decides what gets installed, and where."""
    import tomllib  # 3.11 has it; an older Python must live long enough to be told so

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    decisive = [project["project"], project["build-system"], lock.read_text(), Path(__file__).read_text()]
    return hashlib.sha256(repr([*decisive, str(ROOT), sys.version]).encode()).hexdigest()


def locked_torch(lock: Path) -> str:
    """Return torch's pin as it stands in the lock, such as ``torch==2.13.0``."""
    found = re.search(r"^torch==[\w.]+", lock.read_text(), re.MULTILINE)
    if not found:
        raise SystemExit(f"{lock} does not pin torch. Make the lock again: make lock")
    return found[0]


def needs_cpu_torch(lock: Path) -> bool:
    """Whether torch is to be the CPU build; the registry's, which comes with the rest, is the one for CUDA."""
    return lock != LOCKS["gpu"]


class Environment:
    """A virtual environment under construction.

    Args:
        path: Its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.python = path / "bin" / "python"
        self.uv = path / "bin" / "uv"
        self.stamp = path / STAMP_NAME

    def is_complete(self, wanted: str) -> bool:
        """Return whether the last set-up here came to its end, for the same fingerprint, and Python still runs."""
        same = self.python.exists() and self.stamp.is_file() and self.stamp.read_text().strip() == wanted
        return same and subprocess.run([self.python, "-c", ""], check=False).returncode == 0

    def create(self) -> None:
        """Make the empty environment, in place of whatever is there."""
        say(f"creating {self.path}")
        self.stamp.unlink(missing_ok=True)
        result = subprocess.run([sys.executable, "-m", "venv", "--clear", self.path], check=False)
        if result.returncode:
            raise SystemExit("Python cannot make a virtual environment. On Debian: apt-get install python3-venv")

    def pip(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run this environment's pip quietly and return what it printed and how it ended."""
        command = [self.python, "-m", "pip", "--disable-pip-version-check", *arguments]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    def pip_install(self, *arguments: str | Path, remedy: str = "") -> None:
        """Install with pip, without dependencies; a failure ends the set-up with pip's own words and the remedy."""
        # Byte code comes at the end, for all packages at once and on all cores.
        result = self.pip("install", "--no-deps", "--no-compile", "--progress-bar", "off", *arguments)
        if result.returncode:
            failed = f"pip install {' '.join(map(str, arguments))}"
            raise SystemExit(f"{result.stdout}{result.stderr}\n{failed} failed (above). {remedy}")

    def has_uv(self) -> bool:
        """Try to put uv into the environment."""
        return self.pip("install", "--no-deps", "--no-compile", UV).returncode == 0

    def uv_variables(self) -> dict[str, str]:
        """Return the process environment for uv, with what pip is told about index and certificates passed on."""
        variables = dict(os.environ)
        for setting, variable in (("index-url", "UV_DEFAULT_INDEX"), ("cert", "SSL_CERT_FILE")):
            configured = os.environ.get(f"PIP_{setting.replace('-', '_').upper()}")
            configured = configured or self.pip("config", "get", f"global.{setting}").stdout.strip()
            if configured:
                variables.setdefault(variable, configured)
        return variables

    def install_torch(self, requirement: str) -> None:
        """Install torch's CPU build: from where pip is configured to look if it is there, else from PyTorch's index."""
        report = self.pip("install", "--dry-run", "--no-deps", "--quiet", "--report", "-", requirement)
        found = json.loads(report.stdout)["install"] if report.returncode == 0 else []
        is_cpu = sys.platform != "linux" or any("+cpu" in package["metadata"]["version"] for package in found)
        source = [] if is_cpu else ["--index-url", TORCH_CPU_INDEX]
        say(f"installing {requirement} (CPU build)")
        remedy = f"Is {TORCH_CPU_INDEX} reachable? If not, put torch's +cpu wheel where pip looks (PIP_FIND_LINKS)."
        self.pip_install(*source, requirement, remedy=remedy if source else "")

    def install_rest(self, lock: Path, without: tuple[str, ...] = ()) -> None:
        """Install every locked package that is not there yet, but for those ``without`` names."""
        wanted = self.path / "requirements.txt"
        there = ("torch",) if needs_cpu_torch(lock) else ()
        skipped = tuple(f"{name}==" for name in there + without)
        wanted.write_text("".join(line for line in lock.open() if not line.startswith(skipped)))
        count = len(re.findall(r"^[\w.-]+==", wanted.read_text(), re.MULTILINE))
        if self.has_uv():
            say(f"installing {count} packages with {UV}")
            # The lock also pins setuptools for the few packages that come as source.
            locked: list[str | Path] = [self.uv, "pip", "install", "--quiet", "--python", self.python, "--no-deps"]
            locked += ["--build-constraints", wanted, "-r", wanted]
            if subprocess.run(locked, check=False, env=self.uv_variables()).returncode == 0:
                return
            say("uv failed (above)")
        say(f"installing {count} packages with pip: this takes some minutes")
        self.pip_install("-r", wanted)

    def stand_in(self, packages: list[str]) -> None:
        """Let reasoning-gym be imported without pycosat; using it says which Debian packages would have been needed."""
        (folder,) = self.path.glob("lib/python3.*/site-packages")
        (folder / f"{LEFT_OUT}.py").write_text(STAND_IN.format(packages=" ".join(packages)))
        say(f"no C compiler is here, so {LEFT_OUT} is left out: all works but reasoning-gym's zebra_puzzles. "
            f"To have them: sudo apt-get install {' '.join(packages)}, then make setup again")  # fmt: skip

    def compile(self) -> None:
        """Compile every package to byte code: a training starts several processes, which would each do it again."""
        say("compiling byte code")
        # a package may ship files that are no valid Python, as templates or tests of parsers: its exit code says that
        command: list[str | Path] = [self.python, "-m", "compileall", "-q", "-j", "0", self.path / "lib"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def install_project(self) -> None:
        """Install this project, editable; its build backend is in the lock."""
        say("installing the project")
        self.pip_install("--no-build-isolation", "--editable", ROOT)


def set_up(environment: Environment, lock: Path) -> None:
    """Build an environment from a lock; do nothing where it is there already."""
    wanted, missing = fingerprint(lock), debian.missing_compiler()
    without = bool(missing) and not debian.may_install()
    reduced = f"{wanted} without {LEFT_OUT}"
    if environment.is_complete(wanted) or (without and environment.is_complete(reduced)):
        return
    if not without:
        debian.install(missing, why=f"{LEFT_OUT}, which reasoning-gym needs, comes as C source")
    environment.create()
    if needs_cpu_torch(lock):
        environment.install_torch(locked_torch(lock))
    environment.install_rest(lock, without=(LEFT_OUT,) if without else ())
    if without:
        environment.stand_in(missing)
    environment.install_project()
    environment.compile()
    environment.stamp.write_text(f"{reduced if without else wanted}\n")
    say(f"{environment.path} is ready")


def main() -> None:
    """Read the command line and make the environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="folder of the environment")
    parser.add_argument("--lock", choices=LOCKS, default="cpu", help="what for")
    arguments = parser.parse_args()
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        raise SystemExit(
            f"This is Python {sys.version.split()[0]}; the harness needs 3.11 or 3.12 (verl 0.9.1 does). "
            "Name one: make setup PYTHON=/path/to/python3.11"
        )
    try:
        set_up(Environment(arguments.venv.absolute()), LOCKS[arguments.lock])
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
