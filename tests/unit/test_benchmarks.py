"""What is measured for `make evidence`: all of it is started there, and what is on record is not measured again."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ROUND = {"harness": {"first step": 30.0, "step": 1.0}, "verl": {"first step": 40.0, "step": 4.0}}


@pytest.fixture
def step_overhead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The benchmark with trainings that take no time, which leaves its results in another folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    module = importlib.import_module("step_overhead")
    monkeypatch.setattr(module, "RESULTS", tmp_path / "step_overhead.json")
    monkeypatch.setattr(module, "prepare_all", lambda *_: None)
    monkeypatch.setattr(module, "run_verl", lambda *_: ROUND["verl"])
    yield module
    for name in ("step_overhead", "rounds", "machine"):
        sys.modules.pop(name, None)


def measure(module: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """How many rounds were run."""
    rounds: list[object] = []
    monkeypatch.setattr(module, "run_harness", lambda *_: (rounds.append(1), ROUND["harness"])[1])
    monkeypatch.setattr(sys, "argv", ["benchmarks/step_overhead.py", *words])
    module.main()
    return len(rounds)


def test_rounds_on_record_are_not_run_again(step_overhead: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(step_overhead, monkeypatch, "--rounds", "2") == 2
    assert measure(step_overhead, monkeypatch, "--rounds", "3") == 1
    assert measure(step_overhead, monkeypatch, "--rounds", "3") == 0
    record = json.loads(step_overhead.RESULTS.read_text())["quickstart_tiny"]
    assert record["rounds"] == [ROUND] * 3
    assert record["medians"] == {
        "step": {"harness": 1.0, "verl": 4.0, "ratio": 0.25},
        "first step": {"harness": 30.0, "verl": 40.0, "ratio": 0.75},
    }
    assert measure(step_overhead, monkeypatch, "--rounds", "1", "--steps", "13") == 1, "another configuration"


def test_all_that_is_resumable_is_evidence() -> None:
    makefile = (BENCHMARKS.parent / "Makefile").read_text()
    recipe = makefile.partition("\nevidence:")[2].partition("\n\n")[0]
    resumable = [path.name for path in BENCHMARKS.glob("*.py") if "Resumable" in path.read_text()]
    assert [name for name in resumable if f"benchmarks/{name}" not in recipe] == []
    assert "step_overhead.py" in resumable
    assert "peers.py" in resumable
