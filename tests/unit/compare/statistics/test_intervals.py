"""Intervals over seeds and tasks: against SciPy, under transformation, at their edges, and whether they cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.statistics.bootstrap import RESAMPLES, bootstrap_bounds, widened
from harness.compare.statistics.intervals import Interval, difference_interval, mean_interval
from harness.compare.statistics.tasks import tasks_interval
from harness.compare.statistics.trimmed import centre, located

VALUES = st.lists(st.integers(-1000, 1000), min_size=3, max_size=9, unique=True)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def bounds(interval: Interval) -> list[float]:
    return [interval.estimate, interval.low, interval.high]


def test_of_few_runs_it_is_student_s_and_of_two_groups_welch_s() -> None:
    a, b = rng().normal(1, 1, 7), rng(1).normal(0, 2, 5)
    many = rng().exponential(1, 40)

    one, two = mean_interval(a, rng()), difference_interval(a, b, rng())
    paired = difference_interval(a[:5], b, rng(), paired=True)

    assert (one.method, two.method, paired.method) == ("Student's t", "Welch's t", "Student's t")
    assert (one.runs, two.runs, paired.runs) == ((7,), (7, 5), (5,))
    assert [one.low, one.high] == pytest.approx(list(stats.ttest_1samp(a, 0).confidence_interval()))
    assert [two.low, two.high] == pytest.approx(list(stats.ttest_ind(a, b, equal_var=False).confidence_interval()))
    assert difference_interval(many, b, rng()).method == difference_interval(many, many**2, rng()).method == "Welch's t"
    assert [paired.low, paired.high] == pytest.approx(list(stats.ttest_rel(a[:5], b).confidence_interval()))


def test_the_iqm_s_is_yuen_s() -> None:
    a, b = rng().normal(1, 1, 9), rng(1).normal(0, 2, 8)

    found = difference_interval(a, b, rng(), statistic="iqm")

    theirs = stats.ttest_ind(a, b, equal_var=False, trim=0.25)
    assert [found.low, found.high] == pytest.approx(list(theirs.confidence_interval()))
    assert found.estimate == pytest.approx(stats.trim_mean(a, 0.25) - stats.trim_mean(b, 0.25))
    assert mean_interval(a, rng(), "iqm").method == "Yuen's t"


def test_from_ten_runs_on_it_is_scipy_s_bca_at_a_wider_level() -> None:
    values = rng().exponential(1, 12)

    found = mean_interval(values, rng(5))

    level = 2 * stats.norm.cdf(stats.t.ppf(0.975, 11) * np.sqrt(12 / 11)) - 1
    theirs = stats.bootstrap((values,), np.mean, confidence_level=level, n_resamples=RESAMPLES, rng=rng(5))
    assert found.method == "bootstrap BCa"
    assert [found.low, found.high] == pytest.approx(list(theirs.confidence_interval))
    assert found.level == 0.95


def test_the_widening_makes_up_for_the_spread_that_resamples_lack() -> None:
    a, b = rng().normal(0, 1, 10), rng().normal(0, 1, 40)
    assert widened(0.95, [located(a)], [10]) == pytest.approx(
        2 * stats.norm.cdf(2.2622 * np.sqrt(10 / 9)) - 1, abs=1e-5
    )
    alone, both = widened(0.95, [located(a)], [10]), widened(0.95, [located(a), located(b)], [10, 40])
    assert 0.95 < widened(0.95, [located(b)], [40]) < both < alone < 1


def test_one_run_has_no_interval_and_two_a_flagged_one() -> None:
    one = mean_interval(np.array([0.5]), rng())
    assert one.estimate == 0.5
    assert np.isnan([one.low, one.high]).all()
    assert "no interval" in one.notes[0]
    assert not one.excludes()
    lonely = difference_interval(np.array([0.5]), np.array([0.1, 0.2, 0.3]), rng())
    assert lonely.estimate == pytest.approx(0.3)
    assert np.isnan(lonely.low)

    two = mean_interval(np.array([0.4, 0.6]), rng())
    assert two.high - two.low == pytest.approx(2 * 12.7062 * 0.1, abs=1e-4)
    assert "very wide" in two.notes[0]


@pytest.mark.parametrize("n", [2, 5, 10, 40])
def test_equal_values_give_no_width_and_say_so(n: int) -> None:
    for found in (
        mean_interval(np.full(n, 0.3), rng()),
        mean_interval(np.full(n, 0.3), rng(), "iqm"),
        difference_interval(np.full(n, 0.5), np.full(n, 0.2), rng()),
        difference_interval(np.arange(n) + 0.3, np.arange(n), rng(), paired=True),
    ):
        assert bounds(found) == pytest.approx([0.3] * 3)
        assert "no certainty" in found.notes[0]


def test_percentiles_where_bca_is_undefined() -> None:
    values = np.r_[np.zeros(11), 1.0]  # without any one of them the iqm is 0: the acceleration is 0/0
    part = located(rng().normal(size=12))

    found = bootstrap_bounds((values,), lambda x, axis: centre(x, "iqm", axis), rng(), 0.95, [part])

    assert not found.accelerated
    assert found.low == 0 <= found.high < 1
    flat = mean_interval(values, rng(), "iqm")
    assert bounds(flat) == [0, 0, 0]
    assert "no certainty" in flat.notes[0]


def test_nan_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 3 values are not finite"):
        mean_interval(np.array([1.0, np.nan, 2.0]), rng())
    with pytest.raises(ValueError, match="at least 1"):
        mean_interval(np.array([]), rng())
    with pytest.raises(ValueError, match="Pairs of 2 and 3"):
        difference_interval(np.ones(2), np.ones(3), rng(), paired=True)


@given(VALUES, st.floats(0.01, 100), st.floats(-100, 100), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_units_and_order_of_a_t_interval(values, scale, shift, random) -> None:
    plain = np.array(bounds(mean_interval(np.array(values, float), rng())))
    random.shuffle(values)

    moved = mean_interval(scale * np.array(values, float) + shift, rng())

    assert bounds(moved) == pytest.approx(scale * plain + shift, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("n", [6, 12])
def test_units_and_sides_of_a_difference(n: int) -> None:
    a, b = rng().exponential(1, n), rng(1).normal(0, 2, n)
    plain = difference_interval(a, b, rng())

    moved = difference_interval(100 * a + 5, 100 * b + 5, rng())
    swapped = difference_interval(b, a, rng())

    assert bounds(moved) == pytest.approx([100 * v for v in bounds(plain)])
    assert bounds(swapped) == pytest.approx([-plain.estimate, -plain.high, -plain.low])
    assert bounds(difference_interval(a, b, rng())) == bounds(plain)


def test_tasks_trained_apart_are_resampled_apart_and_one_model_s_stay_together() -> None:
    skill = rng().normal(0, 0.1, (12, 1))  # shared by a row: twelve models, not 72 independent trainings
    scores = 0.5 + skill + 0.02 * rng(1).normal(size=(12, 6))

    apart, together = (tasks_interval(scores, rng(), trained_apart) for trained_apart in (True, False))

    assert apart.estimate == together.estimate == pytest.approx(stats.trim_mean(scores.ravel(), 0.25))
    assert together.high - together.low > 1.8 * (apart.high - apart.low)
    assert apart.runs == (12,)


def test_tasks_of_few_runs() -> None:
    scores = rng().normal(0.5, 0.1, (3, 8))
    found = tasks_interval(scores, rng(), trained_apart=True)
    assert found.low < found.estimate < found.high
    assert "fewer than ten" in found.notes[-1]
    mean = tasks_interval(scores, rng(), trained_apart=False, statistic="mean")
    assert bounds(mean) == bounds(mean_interval(scores.mean(1), rng()))
    assert np.isnan(tasks_interval(scores[:1], rng(), trained_apart=True).low)
    still = tasks_interval(np.tile([0.2, 0.5, 0.9], (4, 1)), rng(), trained_apart=True)
    assert (still.low, still.high) == (still.estimate, still.estimate)
    assert "no certainty" in still.notes[0]
    with pytest.raises(ValueError, match="without NaN"):
        tasks_interval(np.array([[1.0, np.nan]]), rng(), trained_apart=True)


@pytest.mark.parametrize(("n", "sims", "least"), [(5, 600, 0.925), (10, 200, 0.905)])
def test_they_cover(n: int, sims: int, least: float) -> None:
    """The short form of benchmarks/statistics_coverage.py; plain BCa would cover 0.89 of ten runs, z 0.88 of five."""
    draw = rng(3)
    inside = [not mean_interval(draw.normal(2, 1, n), draw).excludes(2) for _ in range(sims)]
    assert least < np.mean(inside) < 0.98
