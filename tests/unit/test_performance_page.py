"""The page of figures is what the benchmarks have left, and nothing else."""

from __future__ import annotations

from pathlib import Path

from performance_page import page

ROOT = Path(__file__).resolve().parents[2]


def test_made_from_the_results() -> None:
    assert (ROOT / "docs" / "performance.md").read_text() == page(), "python benchmarks/performance_page.py"
