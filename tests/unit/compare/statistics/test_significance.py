"""Tests over seeds, against SciPy, textbooks and every permutation counted by hand."""

from __future__ import annotations

import importlib.util
from math import comb
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.compare.statistics.significance import (
    PERMUTATIONS,
    difference_test,
    holm,
    permutation_test,
    sign_flip_test,
    smallest_p,
    t_test,
)
from harness.compare.statistics.trimmed import difference, located

spec = importlib.util.spec_from_file_location("statistics_reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

# Student 1908, R's `sleep`: hours of sleep gained by ten patients with two drugs.
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
# Darwin's maize, crossed minus self-fertilised, in eighths of an inch (Fisher, The Design of Experiments, 1935).
MAIZE = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48])

SMALL = st.lists(st.integers(-20, 20), min_size=2, max_size=4)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_student_s_sleep_paired() -> None:
    assert t_test(SLEEP_2, SLEEP_1, paired=True).p == pytest.approx(0.002833, abs=1e-6)
    found = located(SLEEP_2 - SLEEP_1)
    half = stats.t.ppf(0.975, found.freedom) * found.error
    assert (found.estimate - half, found.estimate + half) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    # No difference is negative and one is zero: two of 1024 sign flips sum as high, two as low.
    assert sign_flip_test(SLEEP_2, SLEEP_1, rng()).p == pytest.approx(4 / 1024)


def test_student_s_sleep_by_welch() -> None:
    assert t_test(SLEEP_1, SLEEP_2).p == pytest.approx(0.07939, abs=5e-6)
    found = difference(SLEEP_1, SLEEP_2)
    assert found.freedom == pytest.approx(17.776, abs=1e-3)
    half = stats.t.ppf(0.975, found.freedom) * found.error
    assert (found.estimate - half, found.estimate + half) == pytest.approx((-3.3654832, 0.2054832), abs=1e-7)


def test_fisher_s_count_of_darwin_s_maize() -> None:
    counts = reference.sign_flip_counts(MAIZE.tolist())
    assert sum(ways for total, ways in counts.items() if abs(total) >= MAIZE.sum()) == 1726  # Fisher: 2 · 863

    found = sign_flip_test(MAIZE.astype(float), np.zeros(15), rng())

    assert found.method == "sign flips of pairs (12,870 random)"
    assert found.p == pytest.approx(1726 / 2**15, abs=4 * np.sqrt(0.0527 * 0.9473 / PERMUTATIONS))
    assert t_test(MAIZE.astype(float), np.zeros(15), paired=True).p == pytest.approx(0.0497, abs=5e-5)


@pytest.mark.parametrize("trim", [("mean", 0.0), ("iqm", 0.25)])
def test_t_agrees_with_scipy(trim: tuple[str, float]) -> None:
    draw = rng()
    for n, m in ((2, 2), (3, 5), (4, 4), (9, 6), (20, 31)):
        a, b = draw.normal(1, 1, n), draw.normal(0, 3, m)
        theirs = stats.ttest_ind(a, b, equal_var=False, trim=trim[1])
        assert t_test(a, b, statistic=trim[0]).p == pytest.approx(theirs.pvalue, rel=1e-9)
        found, bounds = difference(a, b, trim[0]), theirs.confidence_interval()
        half = stats.t.ppf(0.975, found.freedom) * found.error
        assert (found.estimate - half, found.estimate + half) == pytest.approx(tuple(bounds), rel=1e-9)
    assert t_test(a[:5], b[:5], paired=True).p == pytest.approx(stats.ttest_rel(a[:5], b[:5]).pvalue)


@given(SMALL, SMALL)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_permutations_are_all_counted(a: list[int], b: list[int]) -> None:
    found = permutation_test(np.array(a, float), np.array(b, float), rng())

    assert found.p == pytest.approx(reference.permutation_p(a, b))
    assert 0 < found.p <= 1
    assert found.method == "permutation of runs (exact)"


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=2, max_size=8))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_sign_flips_are_all_counted(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, float).T

    found = sign_flip_test(a, b, rng())

    assert found.p == pytest.approx(reference.sign_flip_p([x - y for x, y in pairs]))


@given(SMALL, SMALL, st.floats(0.01, 100), st.floats(-10, 10), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_p_depends_on_neither_order_nor_unit_nor_sides(a, b, scale, shift, random) -> None:
    one, other = np.array(a, float), np.array(b, float)
    p = permutation_test(one, other, rng()).p

    random.shuffle(a)
    assert permutation_test(np.array(a, float), other, rng()).p == pytest.approx(p)
    assert permutation_test(other, one, rng()).p == pytest.approx(p)
    assert permutation_test(scale * one + shift, scale * other + shift, rng()).p == pytest.approx(p)


def test_random_permutations_never_give_zero_and_come_near_the_exact_p() -> None:
    far = permutation_test(np.arange(12) + 100.0, np.arange(12.0), rng())
    assert far.p == pytest.approx(2 / (PERMUTATIONS + 1))
    assert far.p == far.smallest

    draw = rng()
    a, b = draw.normal(0.8, 1, 10), draw.normal(0, 1, 10)
    assert permutation_test(a, b, rng()).p == pytest.approx(t_test(a, b).p, abs=0.02)
    assert permutation_test(a, b, rng()).p == permutation_test(a, b, rng()).p  # the generator decides, nothing else


def test_a_noisy_small_group_beside_a_calm_large_one_is_not_called_different() -> None:
    """Permutations would call 20 % of such equal means different, which is why p is Welch's t here."""
    draw, chosen, permuted = rng(), 0, 0
    for _ in range(300):
        a, b = draw.normal(0, 1, 8), draw.normal(0, 5, 3)
        chosen += difference_test(a, b, draw).p <= 0.05
        permuted += permutation_test(a, b, draw).p <= 0.05
    assert chosen / 300 < 0.11 < 0.14 < permuted / 300


def test_the_choice_of_test_depends_on_the_number_of_runs_alone() -> None:
    a, b = np.array([0.1, 0.12, 0.11]), np.array([0.9, 0.92, 0.93])
    assert smallest_p(3, 3, paired=False) == 2 / comb(6, 3)
    assert difference_test(a, b, rng()).method == "Welch's t test"
    assert difference_test(a, b, rng(), alpha=0.1).method == "permutation of runs (exact)"
    assert difference_test(a, b, rng(), paired=True).method == "paired t test"
    assert difference_test(a, b, rng(), statistic="iqm").method == "Yuen's t test"
    assert difference_test(np.arange(9.0), np.arange(5.0), rng()).method == "Welch's t test"
    assert difference_test(np.arange(10.0), np.arange(12.0), rng()).method == "Welch's t test"
    assert difference_test(np.arange(10.0), np.arange(10.0) + 1, rng()).method == "permutation of runs (12,870 random)"
    six = np.arange(6.0)
    assert difference_test(six, six + 0.1, rng(), paired=False).method == "permutation of runs (exact)"
    assert difference_test(six, six[::-1], rng(), paired=True).method == "sign flips of pairs (exact)"
    assert difference_test(six, six[::-1], rng(), paired=True, alpha=0.05 / 3).method == "paired t test"


def test_values_without_spread() -> None:
    ones, twos = np.ones(3), np.full(3, 2.0)
    assert permutation_test(ones, ones, rng()).p == 1
    assert difference_test(ones, ones, rng()).p == 1
    assert difference_test(ones, twos, rng()).p == pytest.approx(0.1)  # t would say p = 0
    assert difference_test(ones, twos, rng(), paired=True).p == pytest.approx(0.25)
    assert difference_test(np.full(3, 0.1 + 0.2), np.full(3, 0.3), rng()).p > 0.05  # equal but for rounding
    with pytest.raises(ValueError, match="No spread"):
        t_test(ones, twos)


@pytest.mark.parametrize("test", [permutation_test, sign_flip_test])
def test_what_is_malformed_is_refused(test) -> None:
    with pytest.raises(ValueError, match="1 of 3 values are not finite"):
        test(np.array([1, np.nan, 2]), np.ones(3), rng())
    with pytest.raises(ValueError, match="at least 2"):
        test(np.ones(1), np.ones(3), rng())
    with pytest.raises(ValueError, match="Pairs of 2 and 3"):
        sign_flip_test(np.ones(2), np.ones(3), rng())


def test_holm() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([])).tolist() == []
    assert holm(np.array([0.4, 0.9, 0.9])).tolist() == pytest.approx([1, 1, 1])
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm(np.array([0.5, 1.2]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_holm_from_its_definition(p: list[float]) -> None:
    adjusted = holm(np.array(p))

    assert adjusted.tolist() == pytest.approx(reference.holm(p))
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()  # never worse than Bonferroni's
