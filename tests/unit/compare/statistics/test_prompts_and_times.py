"""Differences over prompts, McNemar's test, and times that some runs never reached."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from harness.compare.statistics.prompts import corrected, mcnemar, over_prompts, over_seeds_and_prompts
from harness.compare.statistics.samples import Group
from harness.compare.statistics.times import (
    Times,
    faster,
    followed_alike,
    gehan_scores,
    median_time,
    slower_test,
    times_of,
)

spec = importlib.util.spec_from_file_location("statistics_reference", Path(__file__).with_name("reference.py"))
reference = importlib.util.module_from_spec(spec)
spec.loader.exec_module(reference)

# Weeks in remission of 21 and 21 leukaemia patients, 0 where still in remission (Freireich 1963, Gehan 1965).
DRUG = np.array([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35], float)
DRUG_ENDED = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], bool)
PLACEBO = np.array([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], float)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def equal_algorithms(draw: np.random.Generator, seeds: int, prompts: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Two equal algorithms whose trained models differ in skill."""
    difficulty, skill = draw.normal(size=prompts), 0.5 * draw.normal(size=(2, seeds, 1))
    a, b = (draw.random((2, seeds, prompts)) < 1 / (1 + np.exp(-difficulty - skill))).astype(float)
    return a, b


def pair(both: int, only_a: int, only_b: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, only_a, only_b, neither)
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


def test_mcnemar_s_textbook_table() -> None:
    found = mcnemar(*pair(59, 6, 16, 80))
    assert (found.both, found.only_a, found.only_b, found.neither) == (59, 6, 16, 80)
    assert found.p == pytest.approx(0.0525, abs=5e-5)


@pytest.mark.parametrize("counts", [(5, 0, 0, 5), (0, 3, 0, 0), (4, 7, 7, 1), (794, 86, 150, 570)])
def test_mcnemar_is_a_coin_among_those_who_disagree(counts: tuple[int, int, int, int]) -> None:
    assert mcnemar(*pair(*counts)).p == pytest.approx(reference.binomial_p(counts[1], counts[1] + counts[2]))


def test_mcnemar_refuses_what_is_not_right_or_wrong() -> None:
    for wrong in (np.array([0.5, 1]), np.array([np.nan, 1]), np.ones(3)):
        with pytest.raises(ValueError, match="each 0 or 1"):
            mcnemar(wrong, np.ones(2))


def test_over_prompts_averages_seeds_first_and_counts_what_it_leaves_out() -> None:
    a, b = rng().random((3, 9)), rng(1).random((2, 9))
    a[1, 4] = np.nan

    found = over_prompts(a, b, rng())

    whole = np.arange(9) != 4
    gaps = a[:, whole].mean(0) - b[:, whole].mean(0)
    assert (found.prompts, found.left_out) == (8, 1)
    assert found.interval.estimate == pytest.approx(gaps.mean())
    assert [found.interval.low, found.interval.high] == pytest.approx(
        list(stats.ttest_1samp(gaps, 0).confidence_interval())
    )
    assert found.test.method == "sign flips of pairs (exact)"


def test_seeds_and_prompts_from_the_definition() -> None:
    """A hand-sized design: squared error = Σ var(run means)/S + var(prompt gaps)/P − Σ residual/(S P)."""
    a, b = np.array([[1.0, 4, 2], [3, 5, 4]]), np.array([[0.0, 1, 1], [1, 4, 2], [0, 2, 0]])
    squared = 0.0
    for scores in (a, b):
        seeds, prompts = scores.shape
        squared += reference.variance(scores.mean(1)) / seeds
        rest = [
            (scores[s, p] - scores[s].mean() - scores[:, p].mean() + scores.mean()) ** 2
            for s in range(seeds)
            for p in range(prompts)
        ]
        squared -= sum(rest) / ((seeds - 1) * (prompts - 1)) / scores.size
    squared += reference.variance(a.mean(0) - b.mean(0)) / 3

    found = over_seeds_and_prompts(a, b)

    half = (found.interval.high - found.interval.low) / 2
    errors = (
        reference.variance(a.mean(1)) / 2,
        reference.variance(b.mean(1)) / 3,
        reference.variance(a.mean(0) - b.mean(0)) / 3,
    )
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / 1 + errors[1] ** 2 / 2 + errors[2] ** 2 / 2)
    assert found.interval.estimate == pytest.approx(a.mean() - b.mean())
    assert half == pytest.approx(stats.t.ppf(0.975, freedom) * np.sqrt(squared))
    assert over_seeds_and_prompts(b, a).test.p == pytest.approx(found.test.p)


def test_new_seeds_and_new_prompts_spread_as_the_formula_says() -> None:
    draw = rng(2)
    found = [over_seeds_and_prompts(*equal_algorithms(draw, 6)).interval for _ in range(400)]

    estimates = np.array([one.estimate for one in found])
    inside = np.mean([not one.excludes() for one in found])

    assert 0.92 < inside < 0.98
    assert abs(estimates.mean()) < 4 * estimates.std() / 20


def test_prompts_cannot_replace_seeds() -> None:
    """Equal algorithms: prompt by prompt, three models a side are called different far too often; with seeds, not."""
    draw, over, both = rng(5), 0, 0
    for _ in range(150):
        a, b = equal_algorithms(draw, 3)
        gaps = a.mean(0) - b.mean(0)
        over += stats.ttest_1samp(gaps, 0).pvalue <= 0.05
        both += over_seeds_and_prompts(a, b).test.p <= 0.05
    assert over / 150 > 0.2
    assert both / 150 < 0.11


def test_paired_seeds_take_out_what_they_share() -> None:
    draw = rng(6)
    skill = draw.normal(size=(5, 1))
    a, b = skill + 0.3 + 0.1 * draw.normal(size=(5, 40)), skill + 0.1 * draw.normal(size=(5, 40))
    assert over_seeds_and_prompts(a, b, paired=True).interval.excludes()
    assert not over_seeds_and_prompts(a, b).interval.excludes()
    same = over_seeds_and_prompts(a, a, paired=True)
    assert (same.test.p, same.interval.low, same.interval.high) == (1, 0, 0)


def test_a_family_of_answers_is_corrected_together() -> None:
    draw = rng(3)
    raw = [mcnemar(*draw.integers(0, 2, (2, 40))) for _ in range(3)]
    found = corrected([raw[0], None, *raw[1:]])
    assert found[1] is None
    kept = [each for each in found if each is not None]
    assert [each.p_holm for each in kept] == pytest.approx(reference.holm([each.p for each in raw]))
    assert [each.p for each in kept] == [each.p for each in raw]
    scores = draw.random((4, 3, 30))
    differences = [over_seeds_and_prompts(one, scores[0] - 0.1) for one in scores[1:]]
    again = [each.p_holm for each in corrected(differences)]
    assert again == pytest.approx(reference.holm([each.test.p for each in differences]))
    assert corrected([]) == []


def test_malformed_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="with 2 seeds"):
        over_seeds_and_prompts(np.ones((1, 5)), np.ones((3, 5)))
    with pytest.raises(ValueError, match="equal prompts"):
        over_prompts(np.ones((2, 5)), np.ones((2, 4)), rng())
    with pytest.raises(ValueError, match="1 of 2 prompts have every score"):
        over_prompts(np.array([[1, np.nan]]), np.ones((1, 2)), rng())
    with pytest.raises(ValueError, match="Pairs of 2 and 3"):
        over_seeds_and_prompts(np.ones((2, 5)), np.ones((3, 5)), paired=True)


def test_gehan_s_own_data() -> None:
    drug, placebo = Times(DRUG, DRUG_ENDED), Times(PLACEBO, np.ones(21, bool))
    assert (median_time(drug), median_time(placebo)) == (23, 8)
    scores = gehan_scores(np.r_[DRUG, PLACEBO], np.r_[DRUG_ENDED, np.ones(21, bool)])
    assert reference.gehan(PLACEBO, np.ones(21, bool), DRUG, DRUG_ENDED) == 271  # Gehan's W
    assert scores[:21].sum() == 271 == -scores[21:].sum()
    found = slower_test(drug, placebo, rng())
    assert found.p == found.smallest


def test_times_that_nobody_reached() -> None:
    never = Times(np.full(4, 100.0), np.zeros(4, bool))
    half = Times(np.array([10.0, 20, 100, 100]), np.array([True, True, False, False]))
    assert np.isnan(median_time(never))
    assert median_time(half) == 20
    assert slower_test(never, never, rng()).p == 1
    early = Times(np.array([10.0, 20, 30, 40]), np.ones(4, bool))
    assert slower_test(never, early, rng()).p == pytest.approx(2 / 70) == slower_test(early, never, rng()).p
    with pytest.raises(ValueError, match="marks"):
        Times(np.ones(2), np.ones(3, bool))


def test_a_group_s_times() -> None:
    found = times_of(Group("a", np.array([3.0, np.nan, np.nan]), censored=[np.nan, 9.0, np.nan]))
    assert (found.at.tolist(), found.reached.tolist()) == ([3, 9], [True, False])
    other = times_of(Group("b", np.array([2.0, 4.0, 10.0])))
    assert faster(found, other) == pytest.approx((2 + 0.5) / 6)  # 3 before 4 and 10; of 9 and 10 nobody knows
    assert faster(other, found) == pytest.approx(1 - faster(found, other))


def test_followed_alike_means_up_to_the_first_that_was_lost_from_sight() -> None:
    """Three of six are there at 8, the rest were followed to 0, 3 and 6: of those nothing is known that tells."""
    early = Times(np.array([8.0, 8, 8, 0, 3, 6]), np.array([True] * 3 + [False] * 3))
    late = Times(np.full(6, 10.0), np.ones(6, bool))
    assert slower_test(early, late, rng()).p < 0.01  # as if the three spoke too
    cut, other = followed_alike(early, late)
    assert not np.r_[cut.reached, other.reached].any()
    assert set(cut.at) | set(other.at) == {0}
    assert slower_test(cut, other, rng()).p == 1
    same = followed_alike(late, late)
    assert [each.at.tolist() for each in same] == [[10] * 6] * 2
    assert all(each.reached.all() for each in same)


def test_unequal_follow_up_keeps_the_level() -> None:
    """One side is followed to 0.3, the other to 2; times are equal."""
    draw, errors = rng(4), 0
    for _ in range(200):
        true = draw.exponential(1, (2, 6))
        ends = np.where(draw.random((2, 6)) < 0.5, [[0.3], [2.0]], 2.0)
        a, b = (Times(np.minimum(t, end), t <= end) for t, end in zip(true, ends, strict=True))
        errors += slower_test(*followed_alike(a, b), draw).p <= 0.05
    assert errors / 200 <= 0.07


def test_without_censoring_gehan_ranks() -> None:
    values = rng().permutation(10).astype(float)
    assert gehan_scores(values, np.ones(10, bool)).tolist() == (2 * stats.rankdata(values) - 11).tolist()
