"""What a rehearsed score says about dynamic sampling."""

from __future__ import annotations

import pytest
from omegaconf import OmegaConf

from harness.backend.rehearsal.outcome import Outcome
from harness.backend.rehearsal.reward import _look_for_the_metric


@pytest.mark.parametrize(
    ("enable", "metric", "wrong"),
    [(True, "format", True), (True, "acc", False), (True, "reward", False), (False, "format", False)],
)
def test_the_number_that_groups_are_compared_by_is_noted(enable: bool, metric: str, wrong: bool) -> None:
    outcome = Outcome()
    config = OmegaConf.create({"algorithm": {"filter_groups": {"enable": enable, "metric": metric}}})
    _look_for_the_metric(config, {"acc": 1.0, "scoring_failed": 0.0}, outcome)
    assert [problem.message for problem in outcome.problems] == [
        "algorithm.filter_groups.metric=format: a scored response has no such number beside its reward."
    ] * wrong
