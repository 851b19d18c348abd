"""Numbers of a curve, and what they say where the curve has gaps or ends too early."""

from __future__ import annotations

import numpy as np
import pytest

from harness.compare.statistics.summaries import (
    area_under_curve,
    best_value,
    common_range,
    final_value,
    to_threshold,
    value_at,
)

NAN = np.nan
X = np.array([0.0, 10, 20, 30, 40])
Y = np.array([0.1, NAN, 0.5, 0.3, NAN])


def test_final_and_best() -> None:
    final = final_value(X, Y)
    assert (final.value, final.at, final.used, final.missing) == (0.3, 30, 3, 2)
    assert final.note == "last measured at 30 of 40"
    assert final_value(X, Y, last=2).value == pytest.approx(0.4)
    assert "only 3 of the last 9" in final_value(X, Y, last=9).note
    assert final_value(X[:4], Y[:4]).note == ""
    assert (best_value(X, Y).value, best_value(X, Y).at) == (0.5, 20)
    assert best_value(X, Y, higher_is_better=False).value == 0.1


def test_area_is_the_mean_height() -> None:
    assert area_under_curve(X, np.array([0.0, 1, 2, 3, 4]), 0, 40).value == pytest.approx(2)
    assert area_under_curve(X, np.array([0.0, NAN, NAN, NAN, 4]), 0, 40).value == pytest.approx(2)
    assert area_under_curve(X, np.full(5, 0.7), 5, 35).value == pytest.approx(0.7)
    # 0.1 → 0.5 over 20, then 0.5 → 0.3 over 10: (0.3 · 20 + 0.4 · 10) / 30
    assert area_under_curve(X, Y, 0, 30, points=31).value == pytest.approx(1 / 3)


def test_nothing_is_extrapolated() -> None:
    short = area_under_curve(X, Y, 0, 40)
    assert np.isnan(short.value)
    assert short.note == "measured 0 to 30, wanted 0 to 40"
    assert common_range([(X, Y), (X + 5, Y)]) == (5, 30)
    with pytest.raises(ValueError, match="share no range"):
        common_range([(X, Y), (X + 50, Y)])
    with pytest.raises(ValueError, match="without a value"):
        common_range([(X, Y), (X, np.full(5, NAN))])


def test_value_at_a_budget_looks_back_only() -> None:
    assert (value_at(X, Y, 25).value, value_at(X, Y, 25).at) == (0.5, 20)
    assert value_at(X, Y, 40).value == 0.3  # the run got there, its last measurement was before
    assert "the run ended at 40" in value_at(X, Y, 41).note
    assert "nothing measured by then" in value_at(X, np.array([NAN, 1, 1, 1, 1]), 5).note
    assert np.isnan(value_at(X, Y, 41).value)


def test_a_threshold_never_reached_is_censored() -> None:
    assert to_threshold(X, Y, 0.4).value == 20
    assert to_threshold(X, Y, 0.2, higher_is_better=False).value == 0
    never = to_threshold(X, Y, 0.9)
    assert (np.isnan(never.value), never.at, never.note) == (True, 30, "0.9 not reached by 30")


@pytest.mark.parametrize("y", [np.full(5, NAN), np.array([])])
def test_never_measured(y: np.ndarray) -> None:
    x = X[: len(y)]
    for found in (final_value(x, y), best_value(x, y), to_threshold(x, y, 1), area_under_curve(x, y, 0, 1)):
        assert np.isnan([found.value, found.at]).all()
        assert found.note
        assert found.missing == len(y)
    assert np.isnan(value_at(x, y, 1).value)


def test_malformed_curves_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        final_value(X, Y[:3])
    with pytest.raises(ValueError, match="ascending"):
        final_value(X[::-1], Y)
    with pytest.raises(ValueError, match="An area from 5 to 5"):
        area_under_curve(X, Y, 5, 5)
