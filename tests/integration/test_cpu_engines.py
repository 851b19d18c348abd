"""The CPU's engines compute what verl's do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from runs import environment, untrained_model

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Both engines on the same model and mini-batch."""
    folder = untrained_model(tmp_path_factory.mktemp("model"), vocabulary=101)
    result = subprocess.run(
        [sys.executable, HERE / "cpu_engines.py", folder],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return json.loads(result.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("kind", ["language_model", "value_model"])
def test_the_same_scores_loss_gradients_and_update(measured: dict, kind: str) -> None:
    theirs, ours = measured["verl"][kind], measured["cpu"][kind]
    assert theirs["class"].startswith("FSDPEngine")
    assert ours["class"].startswith("Cpu")
    assert (theirs["packed"], ours["packed"]) == (False, True)
    assert ours["fused"]
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-4)
    assert ours["grad_norm"] == pytest.approx(theirs["grad_norm"], rel=1e-4)
    for moment in ("before", "after"):
        assert ours[moment].keys() == theirs[moment].keys()
        for name, values in theirs[moment].items():
            assert ours[moment][name] == pytest.approx(values, abs=1e-5), (moment, name)
    assert ours["before"] != ours["after"]
