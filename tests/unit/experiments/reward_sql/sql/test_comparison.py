"""What makes two results equal: every decision of the module's docstring."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reward_sql.sql.comparison import GoldOrder, Rules, same_rows
from experiments.reward_sql.sql.gold import gold_order
from harness.errors import ConfigurationError

EXACT = Rules(order="never", tolerance=0.0)  # as published


def same(predicted: list, gold: list, by: GoldOrder | None = None, **rules) -> bool:
    return same_rows(predicted, gold, Rules(**rules), by)


def test_sets_of_rows_or_bags() -> None:
    assert same([(1, "a"), (2, "b")], [(2, "b"), (1, "a"), (1, "a")])
    assert not same([(1, "a"), (2, "b")], [(2, "b"), (1, "a"), (1, "a")], duplicates=True)
    assert same([(1,), (1,), (2,)], [(1,), (2,), (1,)], duplicates=True)
    assert not same([(1,), (2,), (2,)], [(1,), (2,), (1,)], duplicates=True)
    assert not same([(1,)], [(1,), (2,)])
    assert not same([(1,), (2,), (3,)], [(1,), (2,)])


def test_order_counts_where_the_gold_orders() -> None:
    gold, wrong = [(3,), (1,), (2,)], [(1,), (2,), (3,)]
    assert same(wrong, gold)
    assert not same(wrong, gold, GoldOrder(None))
    assert same(gold, gold, GoldOrder(None))
    assert same(wrong, gold, GoldOrder(None), order="never")
    assert not same(wrong, gold, order="always")


def test_ties_may_come_in_any_order() -> None:
    gold = [("a", 2), ("b", 2), ("c", 1)]
    tie, wrong = [("b", 2), ("a", 2), ("c", 1)], [("c", 1), ("a", 2), ("b", 2)]
    assert same(tie, gold, GoldOrder((1,)))
    assert not same(wrong, gold, GoldOrder((1,)))
    assert not same(tie, gold, GoldOrder(None))  # by something that is not shown
    assert not same([("b", 2), ("d", 2), ("c", 1)], gold, GoldOrder((1,)))


def test_null_is_null_alone() -> None:
    assert same([(None, 1)], [(None, 1)])
    for other in (0, 0.0, "", "NULL", "None", b""):
        assert not same([(other,)], [(None,)])
        assert not same([(None,)], [(other,)])
    assert same([(None, 1), (2, None)], [(2, None), (None, 1)])


def test_numbers_within_a_tolerance() -> None:
    assert same([(0.1 + 0.2,)], [(0.3,)])
    assert not same([(0.1 + 0.2,)], [(0.3,)], tolerance=0.0)
    assert same([(1,)], [(1.0,)])
    assert same([(1,)], [(1.0,)], tolerance=0.0)
    assert not same([(1.01,)], [(1.0,)])
    assert same([(1.01,)], [(1.0,)], tolerance=0.02)
    assert not same([(10**15 + 1,)], [(10**15,)])  # integers are exact
    assert not same([(1234567.891,)], [(1234567.892,)])
    assert same([(1e-17,)], [(0,)])
    assert not same([("1",)], [(1,)])
    assert not same([(b"a",)], [("a",)])
    assert same([(float("inf"),)], [(float("inf"),)])
    # sums that differ in their last bits do not part rows from their like
    assert same([(0.1 + 0.2, 7), (0.3, 5)], [(0.3, 7), (0.1 + 0.2, 5)], duplicates=True)
    assert same([(0.1 + 0.2, 7), (0.3, 7)], [(0.3, 7)])


LARGE = 12345678901.0


@pytest.mark.parametrize("far", [LARGE + 3, 1700000000.4, 1e10 + 4])
def test_large_numbers_are_not_the_same_row(far: float) -> None:
    near = {1700000000.4: 1700000000.1, 1e10 + 4: 1e10}.get(far, LARGE)
    for duplicates in (False, True):
        assert not same([(near,)], [(near,), (far,)], duplicates=duplicates)
        assert not same([(near,), (near,)], [(near,), (far,)], duplicates=duplicates)
        assert same([(far,), (near,)], [(near,), (far,)], duplicates=duplicates)


def test_large_integers_equal_their_floats() -> None:
    floats = [(LARGE,), (LARGE + 3,)]
    assert same(floats, [(int(LARGE),), (int(LARGE) + 3,)])
    assert same(floats, [(int(LARGE),), (int(LARGE) + 3,)], GoldOrder((0,)))
    assert not same(floats, [(int(LARGE) + 3,), (int(LARGE),)], GoldOrder((0,)))


def test_columns() -> None:
    gold = [(1, "a", 5), (2, "b", 5)]
    assert not same([("a", 1, 5), ("b", 2, 5)], gold)
    assert same([("a", 1, 5), ("b", 2, 5)], gold, column_order=False)
    assert same([(5, 1, "a"), (5, 2, "b")], gold, column_order=False)
    assert not same([("b", 1, 5), ("a", 2, 5)], gold, column_order=False)  # the same columns, other rows
    assert not same([(1, "a", 5, 5), (2, "b", 5, 5)], gold, column_order=False)  # one too many
    assert not same([(1, "a"), (2, "b")], gold, column_order=False)
    twice = [(1, 1, 2), (2, 2, 1)]
    assert same([(1, 2, 1), (2, 1, 2)], twice, column_order=False)


def test_many_columns_with_the_same_values() -> None:
    row = (*range(12),)
    gold = [row, row[::-1]]
    assert same(gold, gold, column_order=False)
    assert same([(1.0,) * 12, (2.0,) * 12], [(1,) * 12, (2,) * 12], column_order=False)
    wide = [(0,) * 11 + (1,), (1,) * 12]
    assert not same([(0,) * 12, (1,) * 12], wide, column_order=False)  # tells at once: theirs has another kind
    two = [(0, 1) * 6, (1, 0) * 6]  # one kind alone, of which few orders are right
    assert same(two, two, column_order=False)
    assert not same([(0,) * 12, (1,) * 12], two, column_order=False)


def test_an_empty_result() -> None:
    assert same([], [])
    assert not same([], [], empty=False)
    assert not same([], [(None,)])
    assert not same([(None,)], [])


def test_wrong_rules_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="order='sorted'"):
        Rules(order="sorted")
    with pytest.raises(ConfigurationError, match="tolerance"):
        Rules(tolerance=1.0)


NUMBERS = [0.5, 1.0, 0.1, LARGE, LARGE + 3, int(LARGE), 1e300, -1e300, 2**62]
CELLS = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(NUMBERS), st.sampled_from(["", "a", "1"]))


@given(st.lists(st.tuples(CELLS, CELLS), max_size=6), st.lists(st.tuples(CELLS, CELLS), max_size=6))
def test_as_published_it_is_python_sets(predicted: list, gold: list) -> None:
    assert same_rows(predicted, gold, EXACT, None) == (set(predicted) == set(gold))


@given(st.lists(st.tuples(CELLS, CELLS), max_size=6), st.lists(st.tuples(CELLS, CELLS), max_size=6))
def test_numbers_that_are_far_apart_are_as_exact_ones(predicted: list, gold: list) -> None:
    assert same_rows(predicted, gold, Rules(), None) == (set(predicted) == set(gold))


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=6), st.randoms())
def test_a_shuffled_result_is_the_same(gold: list, rng: random.Random) -> None:
    shuffled = rng.sample(gold, len(gold))
    turned = [(c, a, b) for a, b, c in shuffled]
    for duplicates in (False, True):
        assert same(shuffled, gold, duplicates=duplicates)
        assert same(turned, gold, duplicates=duplicates, column_order=False)


@pytest.mark.parametrize(
    ("sql", "wanted"),
    [
        ("SELECT a FROM t", None),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", None),
        ("WITH c AS (SELECT a FROM t ORDER BY a LIMIT 3) SELECT a FROM c", None),
        ("SELECT a, b AS n FROM t ORDER BY n DESC, a", GoldOrder((1, 0))),
        ("SELECT a, count(*) FROM t GROUP BY a ORDER BY count(*) DESC", GoldOrder((1,))),
        ("SELECT a, b FROM t ORDER BY 2", GoldOrder((1,))),
        ("SELECT a FROM t ORDER BY b", GoldOrder(None)),
        ("SELECT * FROM t ORDER BY b", GoldOrder(None)),
        ("SELECT t.* FROM t ORDER BY b", GoldOrder(None)),
        ("SELECT a FROM t UNION SELECT a FROM s ORDER BY a", GoldOrder((0,))),
        ("WITH c AS (SELECT 1 AS a) SELECT a FROM c ORDER BY a", GoldOrder((0,))),
        ("SELECT x.a FROM t x ORDER BY x.a", GoldOrder((0,))),
        ("this is no SQL (", None),
    ],
)
def test_how_the_gold_orders(sql: str, wanted: GoldOrder | None) -> None:
    assert gold_order(sql) == wanted
