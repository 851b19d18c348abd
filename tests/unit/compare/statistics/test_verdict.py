"""Groups held against each other: decisions, sentences and warnings."""

from __future__ import annotations

import numpy as np
import pytest

from harness.compare.statistics.samples import Group, sides
from harness.compare.statistics.significance import holm
from harness.compare.statistics.verdict import Comparison, Question, compare_all_pairs, compare_to_baseline
from harness.errors import ConfigurationError

UNPAIRED = Question(paired=False)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def group(name: str, mean: float, n: int, seed: int = 0, deviation: float = 0.05, **more) -> Group:
    """Runs with exactly this mean and deviation."""
    values = rng(seed).normal(size=n)
    values = (values - values.mean()) / values.std(ddof=1) if n > 1 else values * 0
    return Group(name, mean + deviation * values, **more)


def one(a: Group, b: Group, question: Question | None = None) -> Comparison:
    """Hold a against b."""
    return compare_to_baseline([a, b], b.name, rng(), question)[0]


def test_a_sentence_to_sign() -> None:
    a, b = group("dapo", 0.65, 8, 1, seeds=range(8)), group("grpo", 0.55, 8, 2, seeds=range(8))

    found = one(a, b)

    assert found.decision == "better"
    assert (
        found.sentence
        == "dapo 0.650 vs grpo 0.550: +0.100 [0.073, 0.127], p=0.0078, 8 seeds each, paired; effect g=1.9: better"
    )
    assert (found.runs, found.paired, found.warnings) == ((8, 8), True, ())
    assert found.methods == (
        "Student's t",
        "sign flips of pairs (exact)",
        "Hedges' g, pairs",
        "Mann-Whitney, Newcombe's method 5",
    )
    assert found.improvement.estimate > 0.9
    assert found.p == found.p_holm


def test_lower_is_better_turns_the_decision_and_the_probability() -> None:
    a, b = group("short", 300, 6, 1, 20), group("long", 400, 6, 2, 20)
    up, down = one(a, b), one(a, b, Question(higher_is_better=False))
    assert (up.decision, down.decision) == ("worse", "better")
    assert up.improvement.estimate == pytest.approx(1 - down.improvement.estimate)
    assert up.interval == down.interval


def test_swapping_the_sides_turns_everything() -> None:
    a, b = group("a", 0.6, 6, 1), group("b", 0.5, 7, 2)
    ab, ba = one(a, b), one(b, a)
    assert (ab.decision, ba.decision) == ("better", "worse")
    assert ab.p == pytest.approx(ba.p)
    assert [ab.interval.low, ab.interval.high] == pytest.approx([-ba.interval.high, -ba.interval.low])
    assert ab.effect.estimate == pytest.approx(-ba.effect.estimate)


def test_noise_is_called_noise_and_says_what_would_decide() -> None:
    found = one(group("a", 0.56, 5, 1), group("b", 0.55, 5, 2))
    assert found.decision == "no difference shown"
    assert "not decidable at this scale: the observed difference is 0.2 sd; at least 394 seeds a side" in found.sentence


@pytest.mark.parametrize(
    ("n", "why"), [(0, "no run with a value"), (1, "one run on a side"), (2, "two runs on a side")]
)
def test_too_few_seeds_decide_nothing_however_clear_they_look(n: int, why: str) -> None:
    a = Group("a", np.full(3, np.nan)) if n == 0 else group("a", 0.9, n, 1, 0.001)
    found = one(a, group("b", 0.1, 5, 2, 0.001))
    assert found.decision == "too few seeds"
    assert why in found.sentence
    assert "nan" not in found.sentence
    assert np.isnan([found.p, found.p_holm]).all()
    assert np.isfinite(found.interval.low) == (n == 2)  # two have an interval, wide and flagged
    assert any(why in warning for warning in found.warnings)


def test_three_seeds_are_judged_by_t_and_say_so() -> None:
    found = one(group("a", 0.9, 3, 1), group("b", 0.1, 3, 2))
    assert (found.decision, found.test.method) == ("better", "Welch's t test")
    assert found.warnings == (
        "so few runs cannot get below p=0.1 by permutation: p is t's, which takes noise for normal",
    )


def test_holm_is_over_the_comparisons_that_could_be_tested() -> None:
    base, groups = group("base", 0.5, 6, 1), [group("up", 0.65, 6, 2), group("same", 0.5, 6, 3), group("once", 0.9, 1)]

    found = compare_to_baseline([base, *groups], "base", rng())

    assert [c.a for c in found] == ["up", "same", "once"]
    assert [c.p_holm for c in found[:2]] == pytest.approx(holm(np.array([c.p for c in found[:2]])))
    assert found[0].p_holm == pytest.approx(2 * found[0].p)
    assert "(Holm)" in found[0].sentence
    assert [c.decision for c in found] == ["better", "no difference shown", "too few seeds"]


def test_all_pairs_are_one_family() -> None:
    found = compare_all_pairs(
        [group(name, mean, 5, i) for i, (name, mean) in enumerate({"a": 0.5, "b": 0.6, "c": 0.7}.items())], rng()
    )
    assert [(c.a, c.b) for c in found] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [c.p_holm for c in found] == pytest.approx(holm(np.array([c.p for c in found])))
    assert found[1].decision == "worse"


def test_the_more_comparisons_the_smaller_the_p_that_a_test_has_to_reach() -> None:
    groups = [group(name, 0.5, 4, i) for i, name in enumerate("abc")]
    assert compare_all_pairs(groups[:2], rng())[0].test.method == "permutation of runs (exact)"  # down to p = 2/70
    family = compare_all_pairs(groups, rng())
    assert [c.test.method for c in family] == ["Welch's t test"] * 3
    two = compare_all_pairs([groups[0], group("c", 0.55, 4, 2)], rng())[0]
    assert compare_all_pairs([*groups[:2], group("c", 0.55, 4, 2)], rng())[1].needed.needed > two.needed.needed


def test_the_same_generator_gives_the_same_comparison() -> None:
    groups = [group("a", 0.6, 12, 1, seeds=range(12)), group("b", 0.5, 12, 2, seeds=range(12))]
    first, second = (compare_to_baseline(groups, "b", rng(7))[0] for _ in range(2))
    assert first == second
    assert first.interval.method == "bootstrap BCa"


def test_missing_crashed_unequal_and_tied_runs_are_told() -> None:
    a = Group("a", np.array([0.5, 0.6, np.nan, 0.7, 0.7]), lost={"crashed": 2, "still running": 1})
    found = one(a, group("b", 0.5, 6, 2))
    text = " | ".join(found.warnings)
    assert found.runs == (4, 6)
    for part in (
        "a: 2 crashed and in no number; if bad runs end so, it looks too good",
        "a: 1 still running and in no number |",
        "a: 1 of 5 runs have no value",
        "unequal numbers of runs: 4 and 6; p is t's",
        "1 of 10 values repeat",
    ):
        assert part in text


def test_seeds_that_changed_nothing() -> None:
    found = one(Group("a", np.full(4, 0.6)), Group("b", np.full(4, 0.5)), UNPAIRED)
    assert found.interval.low == found.interval.high == pytest.approx(0.1)
    assert np.isnan(found.effect.estimate)
    assert any("no certainty" in warning for warning in found.warnings)
    assert "effect" not in found.sentence
    equal = one(Group("a", np.full(3, 0.5)), Group("b", np.full(3, 0.5)))
    assert (equal.decision, equal.p) == ("no difference shown", 1)


def test_an_interval_and_a_p_that_disagree_are_told() -> None:
    a, b = Group("a", np.array([6.0, 11, 14, 16])), Group("b", np.array([0.0, 2, 4, 8]))

    found = one(a, b)

    assert (found.interval.low > 0, found.p) == (True, pytest.approx(4 / 70))
    assert found.decision == "no difference shown"
    assert "the interval and the raw p disagree about zero: take it as open" in found.warnings
    assert not any("disagree" in warning for warning in one(a, Group("b", b.values - 3)).warnings)


def test_times_that_some_never_reached() -> None:
    """Three of eight are there at 10, the rest never; all of the others at about 19: the survivors' mean is not asked."""
    never = np.full(8, np.nan)
    some = Group("some", np.where(np.arange(8) < 3, 10.0, never), censored=[np.nan] * 3 + [40.0] * 5)
    every = Group("every", np.arange(15.0, 23.0))
    found = one(some, every, Question(higher_is_better=False))
    assert (found.decision, found.reached, found.runs) == ("no difference shown", (3, 8), (8, 8))
    assert (np.isnan(found.centre_a), found.centre_b) == (True, 18)
    assert found.improvement.estimate == 3 / 8
    assert found.warnings == ()
    none = Group("none", never, censored=[40.0] * 8)
    slow, fast = one(none, every), one(every, none)
    assert (slow.decision, fast.decision) == ("worse", "better")
    assert slow.p == fast.p == pytest.approx(2 / 12870)
    assert (
        "none not reached by half vs every 18 (medians), 0 of 8 and 8 of 8 runs got there, p<0.001: worse"
        in slow.sentence
    )


def test_a_family_with_one_censored_time_is_compared_by_ranks() -> None:
    groups = [Group(name, np.arange(4.0) + shift) for name, shift in (("a", 0.0), ("b", 5.0))]
    late = Group("c", np.array([1.0, 2, 3, np.nan]), censored=[np.nan, np.nan, np.nan, 30])
    found = compare_to_baseline(
        [*groups, late, Group("d", np.full(2, np.nan))], "a", rng(), Question(higher_is_better=False)
    )
    assert [each.reached for each in found] == [(4, 4), (3, 4), (0, 4)]
    assert [each.decision for each in found] == ["no difference shown", "no difference shown", "too few seeds"]
    assert "so few runs cannot get below p=0.029, and 0.025 would be needed" in found[0].warnings
    assert "d: 2 of 2 runs have no value and are left out" in found[2].warnings


def test_pairs_by_seed() -> None:
    a, b = (
        Group("a", np.array([1.0, 2, 3, 4]), seeds=(4, 3, 2, 1)),
        Group("b", np.array([10.0, 20, 30, np.nan, 50]), seeds=(1, 2, 3, 4, 5)),
    )
    found = sides(a, b)
    assert not found.paired  # seed 4 of the smaller group has no partner
    forced = sides(a, b, paired=True)
    assert (forced.a.tolist(), forced.b.tolist()) == ([4, 3, 2], [10, 20, 30])
    assert forced.notes == ("a: 1 without a partner left out", "b: 1 without a partner left out")
    whole = sides(a, Group("b", np.arange(5.0), seeds=(1, 2, 3, 4, 5)))
    assert whole.paired
    assert whole.notes == ("b: 1 without a partner left out",)
    assert any("although 4 seeds are shared" in warning for warning in one(a, b).warnings)


@pytest.mark.parametrize("seeds", [(), (1, 1, 2), (7, 8, 9)])
def test_pairs_that_cannot_be(seeds: tuple[int, ...]) -> None:
    a, b = Group("a", np.arange(3.0), seeds=(1, 2, 3)), Group("b", np.arange(3.0), seeds=seeds)
    assert not sides(a, b).paired
    with pytest.raises(ConfigurationError, match="cannot be paired"):
        sides(a, b, paired=True)


def test_what_cannot_be_compared_is_refused_with_the_choices() -> None:
    groups = [group("a", 0, 3), group("b", 0, 3)]
    with pytest.raises(ConfigurationError, match="no group 'c'") as error:
        compare_to_baseline(groups, "c", rng())
    assert error.value.remedy == "Choose one of: a, b."
    with pytest.raises(ConfigurationError, match="two groups of different names"):
        compare_all_pairs([groups[0], groups[0]], rng())
    with pytest.raises(ConfigurationError, match="none"):
        compare_all_pairs([], rng())
    with pytest.raises(ValueError, match="infinite"):
        Group("a", np.array([np.inf]))
    with pytest.raises(ValueError, match="2 seeds"):
        Group("a", np.ones(3), seeds=(1, 2))


def test_three_equal_groups_are_rarely_called_different() -> None:
    draw, errors = rng(11), 0
    for _ in range(80):
        groups = [Group(name, draw.normal(size=3)) for name in "abc"]
        errors += any(c.decision in ("better", "worse") for c in compare_all_pairs(groups, draw))
    assert errors / 80 < 0.13
