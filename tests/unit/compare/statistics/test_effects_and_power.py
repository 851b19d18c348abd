"""Sizes of differences and numbers of seeds, against textbooks and definitions."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.statistics.effects import (
    cliffs_delta,
    hedges_g,
    pooled_deviation,
    probability_of_improvement,
    small_sample_factor,
)
from harness.compare.statistics.power import power, seeds_needed, seeds_to_decide, too_few

spec = importlib.util.spec_from_file_location("statistics_reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

RUNS = st.lists(st.integers(0, 6), min_size=2, max_size=7)


def with_moments(mean: float, deviation: float, n: int) -> np.ndarray:
    """Values with exactly this mean and standard deviation."""
    values = np.random.default_rng(0).normal(size=n)
    return mean + deviation * (values - values.mean()) / values.std(ddof=1)


def test_the_tortoise_and_the_hare() -> None:
    """Wikipedia's example of Mann and Whitney: T H H H H H T T T T T H; the tortoises win 11 of 36 pairs."""
    order = np.array(list("THHHHHTTTTTH"))
    places = np.arange(12.0)
    found = probability_of_improvement(-places[order == "T"], -places[order == "H"])
    assert found.estimate == pytest.approx(11 / 36)
    assert found.low < 11 / 36 < found.high
    assert cliffs_delta(-places[order == "T"], -places[order == "H"]).estimate == pytest.approx(22 / 36 - 1)


@given(RUNS, RUNS)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_probability_of_improvement_counts_ties_half_and_is_antisymmetric(a: list[int], b: list[int]) -> None:
    found = probability_of_improvement(np.array(a), np.array(b))
    other = probability_of_improvement(np.array(b), np.array(a))

    assert found.estimate == pytest.approx(reference.improvement(a, b))
    assert [1 - other.estimate, 1 - other.high, 1 - other.low] == pytest.approx(
        [found.estimate, found.low, found.high], abs=1e-8
    )
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    for end in (found.low, found.high):
        if 0 < end < 1:
            assert reference.newcombe_gap(found.estimate, end, len(a), len(b)) == pytest.approx(0, abs=1e-5)


def test_groups_that_do_not_overlap_keep_an_interval() -> None:
    found = probability_of_improvement(np.arange(5) + 10, np.arange(5))
    assert (found.estimate, found.high) == (1, 1)
    assert 0.5 < found.low < 0.8
    assert np.isnan(probability_of_improvement(np.array([1.0]), np.arange(5)).low)


@pytest.mark.parametrize(
    ("freedom", "factor"), [(2, 0.5642), (3, 0.7236), (4, 0.7979), (5, 0.8408), (8, 0.9027), (10, 0.9228)]
)
def test_hedges_s_table(freedom: int, factor: float) -> None:
    assert small_sample_factor(freedom) == pytest.approx(factor, abs=1e-4)


def test_borenstein_s_example() -> None:
    """Introduction to Meta-Analysis, chapter 4: means 103 and 100, deviations 5.5 and 4.5, 50 a side."""
    a, b = with_moments(103, 5.5, 50), with_moments(100, 4.5, 50)
    found = hedges_g(a, b)
    assert (a.mean() - b.mean()) / pooled_deviation(a, b) == pytest.approx(0.5970, abs=5e-5)
    assert found.estimate == pytest.approx(0.5924, abs=1e-4)
    # The book's normal interval, 0.5924 ± 1.96 · √0.0411, is near the one of the noncentral t.
    assert [found.low, found.high] == pytest.approx([0.5924 - 0.397, 0.5924 + 0.397], abs=0.01)


def test_the_interval_of_g_is_where_the_noncentral_t_says() -> None:
    draw = np.random.default_rng(4)
    for n, m, gap in ((3, 3, 0.2), (6, 9, -2.0), (4, 20, 7.0)):
        a, b = draw.normal(gap, 1, n), draw.normal(0, 1, m)
        found = hedges_g(a, b)
        scale, factor = np.sqrt(n * m / (n + m)), small_sample_factor(n + m - 2)
        t = stats.ttest_ind(a, b).statistic
        for end, tail in ((found.low, 0.975), (found.high, 0.025)):
            assert stats.nct.cdf(t, n + m - 2, end / factor * scale) == pytest.approx(tail, abs=1e-5)
        other = hedges_g(b, a)
        assert [-other.estimate, -other.high, -other.low] == pytest.approx([found.estimate, found.low, found.high])


def test_g_of_pairs_narrows_with_their_correlation() -> None:
    a = np.random.default_rng(0).normal(size=12)
    noise = np.random.default_rng(1).normal(size=12)
    close, far = hedges_g(a + 0.1 * noise + 1, a, paired=True), hedges_g(a + 1, noise, paired=True)
    assert close.high - close.low < 0.3 * (far.high - far.low)
    assert close.estimate == hedges_g(a + 0.1 * noise + 1, a).estimate


def test_no_spread_has_no_g() -> None:
    for found in (hedges_g(np.ones(4), np.zeros(4)), hedges_g(np.ones(1), np.arange(4.0))):
        assert np.isnan([found.estimate, found.low]).all()
        assert "no standard deviation" in found.notes[0]
    assert np.isfinite(hedges_g(np.ones(4), np.arange(4.0)).estimate)


@pytest.mark.parametrize(
    ("effect", "paired", "needed"),
    [(0.2, False, 394), (0.3, False, 176), (0.5, False, 64), (0.8, False, 26), (0.5, True, 34), (0.2, True, 199)],
)
def test_cohen_s_numbers(effect: float, paired: bool, needed: int) -> None:
    """As G*Power and R's power.t.test give them."""
    assert seeds_needed(effect, paired=paired) == needed
    assert power(effect, needed, paired=paired) >= 0.8 > power(effect, needed - 1, paired=paired)


def test_power_at_its_ends() -> None:
    assert power(0.0, 10) == pytest.approx(0.05)
    assert power(5.0, 10) == pytest.approx(1)
    assert power(-0.5, 64) == power(0.5, 64)
    assert seeds_needed(0.0) is None
    assert seeds_needed(1e-4) is None


def test_seeds_to_decide() -> None:
    few = seeds_to_decide(with_moments(0.3, 1, 5), with_moments(0.0, 1, 5))
    assert (few.now, few.needed) == (5, 176)
    assert (
        few.sentence
        == "not decidable at this scale: the observed difference is 0.3 sd; at least 176 seeds a side would be needed, 5 are there"
    )
    assert "about 17 seeds a side" in seeds_to_decide(with_moments(1, 1, 8), with_moments(0, 1, 8)).sentence
    assert "suffice" in seeds_to_decide(with_moments(9, 1, 8), with_moments(0, 1, 8)).sentence
    assert seeds_to_decide(with_moments(9, 1, 2), with_moments(0, 1, 2)).needed >= 3
    assert seeds_to_decide(with_moments(0, 1, 5), with_moments(0, 1, 5)).needed is None
    assert "no noise" in seeds_to_decide(np.ones(3), np.zeros(3)).sentence
    assert "one run" in seeds_to_decide(np.ones(1), np.zeros(3)).sentence
    shared = np.random.default_rng(0).normal(size=6)
    paired = seeds_to_decide(shared + with_moments(0.5, 1, 6), shared, paired=True)
    assert paired.needed == 34


def test_seeds_to_decide_by_the_statistic_that_is_compared() -> None:
    """One outlier a side hides a difference of means, not of interquartile means."""
    a, b = np.r_[np.arange(7.0) + 4, 90.0], np.r_[np.arange(7.0), -60.0]
    assert seeds_to_decide(a, b).needed > 2 * seeds_to_decide(a, b, statistic="iqm").needed
    assert "winsorised sd" in seeds_to_decide(a, b, statistic="iqm").sentence
    assert seeds_to_decide(a, np.sort(a) - 2, paired=True, statistic="iqm").needed is None


def test_power_of_interquartile_means() -> None:
    """Yuen's test finds a difference of normal samples about as often as is said."""
    draw = np.random.default_rng(3)
    a, b = draw.normal(1.2, 1, (2000, 12)), draw.normal(0, 1, (2000, 12))
    found = np.mean(stats.ttest_ind(a, b, axis=1, trim=0.25).pvalue <= 0.05)
    winsorised = np.sqrt(np.mean(np.asarray(stats.mstats.winsorize(b, (0.25, 0.25), axis=1)).var(axis=1, ddof=1)))
    assert power(1.2 / winsorised, 12, statistic="iqm") == pytest.approx(found, abs=0.05)


def test_too_few() -> None:
    assert too_few(3, 3) is None
    assert "no run" in too_few(0, 5)
    assert "one run" in too_few(5, 1)
    assert "two runs" in too_few(2, 5)
