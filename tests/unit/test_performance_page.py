"""The page of figures is what the benchmarks have left, and nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_made_from_the_results() -> None:
    made = runpy.run_path(str(ROOT / "benchmarks" / "performance_page.py"))["page"]()
    assert (ROOT / "docs" / "performance.md").read_text() == made, "python benchmarks/performance_page.py"
