"""What the figures of a benchmark were measured on, and of which code."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")


def machine() -> str:
    """Cores, processor and whether it has bfloat16 instructions, such as ``2 cores, Intel(R) Xeon(R) …, bfloat16``."""
    said = CPUINFO.read_text() if CPUINFO.exists() else ""
    fields = [re.search(rf"^{name}\s*:\s*(.+)$", said, re.MULTILINE) for name in ("model name", "cpu family", "model")]
    model, family, number = (match[1] if match else "" for match in fields)
    processor = f"{model} (family {family}, model {number})" if model else platform.machine()
    return f"{os.cpu_count()} cores, {processor}, {'' if 'avx512_bf16' in said else 'no '}bfloat16"


def commit() -> str:
    """The short commit of the code, with a plus where files are changed; empty outside a repository."""
    told = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(told, capture_output=True, text=True, check=False)
    return done.stdout.strip()
