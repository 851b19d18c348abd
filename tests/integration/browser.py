"""Pages in headless Chromium."""

from __future__ import annotations

import subprocess
from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--enable-logging=stderr", "--v=0",
)  # fmt: skip


def browse(chromium: Path, page: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """Open a page and return the document after its script ran, and what the browser complained of."""
    command = [str(chromium), *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    console = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    return result.stdout, "\n".join(console)
