"""Files and commands out of docs/guides."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"


def write_files(page: str, folder: Path) -> None:
    """Write every block of a guide that has a name, as ```python NAME, as NAME."""
    for name, source in re.findall(r"```\w+ (\S+)\n(.*?)```", (GUIDES / f"{page}.md").read_text(), re.DOTALL):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)


def patched_copy(page: str, folder: Path) -> Path:
    """A copy of the harness with the ```diff block of a guide applied."""
    for name in ("harness", "conf", "hydra_plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    (diff,) = re.findall(r"```diff\n(.*?)```", (GUIDES / f"{page}.md").read_text(), re.DOTALL)
    applied = subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=folder, capture_output=True, check=False)
    assert applied.returncode == 0, applied.stderr
    return folder


def commands(page: str) -> list[str]:
    """The commands of its ```bash blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", (GUIDES / f"{page}.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("harness ")]
