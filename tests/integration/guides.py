"""Files and commands out of docs/guides."""

from __future__ import annotations

import re
from pathlib import Path

GUIDES = Path(__file__).resolve().parents[2] / "docs" / "guides"


def write_files(page: str, folder: Path) -> None:
    """Write every ```python NAME block of a guide as NAME."""
    for name, source in re.findall(r"```python (\S+)\n(.*?)```", (GUIDES / f"{page}.md").read_text(), re.DOTALL):
        (folder / name).write_text(source)


def commands(page: str) -> list[str]:
    """The commands of its ```bash blocks."""
    blocks = re.findall(r"```bash\n(.*?)```", (GUIDES / f"{page}.md").read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("harness ")]
