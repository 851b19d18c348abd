"""The report of one run: a single HTML file that needs no network, see `html.write_report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.records.run_folder import RunFolder


def write_report(run_folder: RunFolder | Path | str) -> Path:
    """Write the report of a run, see `html.write_report`; SciPy and Jinja are loaded only now (about 2 s)."""
    from harness.report.html import write_report as write

    return write(run_folder)
