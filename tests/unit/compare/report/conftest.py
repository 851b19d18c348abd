"""Demonstration studies, for every test of a comparison's report."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

_DEMO = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("demo_study.py"))))


@pytest.fixture(scope="session")
def demo():
    return _DEMO


@pytest.fixture
def make_study(tmp_path):
    """Makes a study of points, or of two groups, in a folder of the test's own."""

    def make(*points, seeds=(1, 2, 3), options=None, **maker):
        usual = (_DEMO.Point(("algorithm=grpo",), 0.5), _DEMO.Point(("algorithm=dapo",), 0.6))
        return _DEMO.Maker(tmp_path / "outputs", **{"steps": 12, "prompts": 12, **maker}).study(
            points or usual, seeds, options
        )

    return make


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Four groups of five seeds, one of which failed; read only."""
    root = tmp_path_factory.mktemp("four")
    point = _DEMO.Point
    points = [
        point(("algorithm=grpo",), 0.52),
        point(("algorithm=dapo",), 0.60, failed=(4,)),
        point(("algorithm=rloo",), 0.53, 0.04),
        point(("algorithm=ppo",), 0.40),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(root / "cache"))
        return _DEMO.Maker(root / "outputs").study(points, (1, 2, 3, 4, 5))
