"""A curve tells what was measured, what broke, and how far the run came."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.compare.curve import curve_of
from harness.compare.load import load_runs
from harness.compare.targets import find_targets

ACC = "val-core/sums/acc/mean@1"


def test_a_recorded_nan_is_no_gap(make_run: Callable[..., Any]) -> None:
    history = {0: {ACC: 0.1}, 1: {"other": 1}, 2: {ACC: 0.5}, 3: {"other": 1}, 4: {ACC: math.nan}, 5: {"other": 1}}
    folder = make_run(metrics=history)
    for _ in range(2):  # parsed, then from the cache
        (run,) = load_runs(find_targets([str(folder)]).runs)
        found = curve_of(run, ACC, "steps")
        assert found.x.tolist() == [0, 1, 2, 3, 4, 5]
        np.testing.assert_equal(found.y, [0.1, np.nan, 0.5, np.nan, np.nan, np.nan])
        assert found.broken.tolist() == [False] * 4 + [True, False]
        assert (found.last, found.is_measured, found.broke_by(), found.broke_by(4)) == (2, True, 4, 4)
        assert np.isnan(found.broke_by(3))
    nothing = curve_of(run, "no/such", "tokens")
    assert (nothing.is_measured, nothing.x.tolist()) == (False, [])
