"""The report of a comparison: one HTML file that needs no network, and its figures as files of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.compare.study import Study


def write_report(study: Study, path: Path) -> Path:
    """Write the report of a comparison, see `html.write_report`; Jinja is loaded only now."""
    from harness.compare.report.html import write_report as write

    return write(study, path)


def static_figures(study: Study, folder: Path) -> list[Path]:
    """Write curves and intervals as files for papers, see `paper.static_figures`; Matplotlib is loaded only now."""
    from harness.compare.report.paper import static_figures as write

    return write(study, folder)
