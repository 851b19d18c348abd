"""The CPU's engines compute what verl's do."""

from __future__ import annotations

import pytest
from runs import script_result, untrained_model


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Both engines on the same model and mini-batch."""
    folder = untrained_model(tmp_path_factory.mktemp("model"), vocabulary=101)
    return script_result("cpu_engines.py", folder)


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
