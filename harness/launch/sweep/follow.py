"""Prints a log, and what is added to it."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

EVERY_SECONDS = 0.5


def print_log(log: Path, follow: bool) -> None:
    """Print it; with ``follow`` until the run has ended or the reader stops."""
    from harness.records.status import read_status

    with log.open() as file:
        shutil.copyfileobj(file, sys.stdout)
        while follow and not read_status(log.parent).has_ended:
            time.sleep(EVERY_SECONDS)
            shutil.copyfileobj(file, sys.stdout)
            sys.stdout.flush()
        shutil.copyfileobj(file, sys.stdout)
