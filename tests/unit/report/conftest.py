"""The demonstration run, for every test of the report."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

_DEMO = runpy.run_path(str(Path(__file__).with_name("demo_run.py")))


@pytest.fixture
def make_demo_run():
    return _DEMO["make_demo_run"]


@pytest.fixture
def hostile():
    return _DEMO["HOSTILE"]


@pytest.fixture
def demo(tmp_path, monkeypatch, make_demo_run):
    monkeypatch.chdir(tmp_path)
    return make_demo_run(Path("outputs"))
