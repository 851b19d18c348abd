"""Intervals against known numbers, and pairing by prompt."""

from __future__ import annotations

import numpy as np
import pytest

from harness.records.generations import Generation
from harness.report.statistics import bootstrap_interval, compare, estimate, mean_interval


def _samples(scores, acc=True, repeat=1):
    return [
        Generation(i, f"question {i}", "a", "b", score, extra={"acc": score} if acc else {})
        for i, score in enumerate(scores)
        for _ in range(repeat)
    ]


def test_a_proportion_gets_wilsons_interval():
    found = mean_interval(np.array([1.0] * 8 + [0.0] * 2), np.random.default_rng(0))
    # Wilson (1927) for 8 of 10: (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)
    assert (found.value, found.low, found.high) == pytest.approx((0.8, 0.4901625, 0.9433178), abs=1e-6)


def test_a_mean_gets_a_bootstrap_near_the_normal_interval():
    values = np.random.default_rng(1).normal(0.4, 0.2, 400)
    found = bootstrap_interval(values, np.random.default_rng(0))
    half = 1.96 * values.std() / 20
    assert found.low == pytest.approx(values.mean() - half, abs=0.002)
    assert found.high == pytest.approx(values.mean() + half, abs=0.002)


def test_pairing_by_prompt_sees_what_two_separate_intervals_would_not():
    before = np.linspace(0, 1, 50)
    rng = np.random.default_rng(0)
    after = np.clip(before + 0.05 + rng.normal(0, 0.01, 50), 0, 2)
    found = compare(_samples(before, acc=False), _samples(after[::1], acc=False)[::-1])
    assert found.variable == "score"
    assert found.is_clear
    assert found.before.high > found.after.low, "unpaired, the two overlap"
    assert found.difference.value == pytest.approx((after - before).mean())


def test_prompts_not_responses_are_counted():
    found = compare(_samples([0.0, 1.0, 0.0, 1.0], repeat=8), _samples([1.0, 1.0, 0.0, 1.0], repeat=8))
    assert found.prompts == 4
    assert found.variable == "accuracy"
    assert not found.is_clear


def test_the_same_samples_give_the_same_interval():
    first, last = _samples([0.0, 1.0, 0.0, 1.0]), _samples([1.0, 1.0, 0.0, 1.0])
    assert compare(first, last) == compare(first, last)


def test_too_little_in_common_gives_no_comparison():
    assert compare(_samples([1.0]), _samples([0.0])) is None
    assert compare([], _samples([0.0])) is None
    other = [Generation(0, "something else", "a", "b", 1.0)]
    assert compare(_samples([1.0, 0.0], acc=False), other) is None
    assert estimate([]) is None


def test_equal_values_are_a_point():
    found = bootstrap_interval(np.array([0.25, 0.25]), np.random.default_rng(0))
    assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)
