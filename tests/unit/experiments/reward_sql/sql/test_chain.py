"""Steps of chains: their places, their names, and what shows the result of each."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.reward_sql.sql.chain import is_chain, names_in, steps_of, used_later

CHAIN = """WITH a AS (SELECT 1 AS x, ') AS (' AS y),

"b c" (u) AS NOT MATERIALIZED (SELECT x + (1) FROM a), -- the last
c AS (SELECT 9)
SELECT u FROM "b c";"""


def texts(sql: str) -> list[str]:
    return [sql[step.start : step.end] for step in steps_of(sql)]


def test_steps_lie_side_by_side() -> None:
    steps = steps_of(CHAIN)
    assert [step.name for step in steps] == ["a", '"b c"', "c", ""]
    assert "".join(texts(CHAIN)) == CHAIN
    assert texts(CHAIN)[0] == "WITH a AS (SELECT 1 AS x, ') AS (' AS y),"
    assert texts(CHAIN)[1].endswith("FROM a),")
    assert [step.body for step in steps[1:]] == ["SELECT x + (1) FROM a", "SELECT 9", 'SELECT u FROM "b c"']
    assert is_chain(steps)
    assert used_later(CHAIN, steps) == [True, True, False, True]


def test_what_shows_each_step_runs() -> None:
    connection = sqlite3.connect(":memory:")
    rows = [connection.execute(step.query).fetchall() for step in steps_of(CHAIN)]
    assert rows == [[(1, ") AS (")], [(2,)], [(9,)], [(2,)]]
    recursive = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i) FROM n"
    rows = [connection.execute(step.query).fetchall() for step in steps_of(recursive)]
    assert rows == [[(1,), (2,), (3,)], [(6,)]]


@pytest.mark.parametrize(
    ("sql", "names", "whole"),
    [
        ("SELECT 1", [""], False),
        ("WITH a AS (SELECT 1) SELECT * FROM a", ["a", ""], True),
        ("WITH a AS (SELECT 1), b AS (SELECT (2", ["a", "b"], False),  # cut off within a parenthesis
        ("WITH a AS (SELECT 1), b AS (SELECT 'te", ["a", "b"], False),  # and within a text
        ("WITH a AS (SELECT 1), b AS (SELECT 2)", ["a", "b"], False),  # no final query
        ("WITH a AS (SELECT 1);", ["a"], False),
        ("WITH a AS SELECT 1", [""], False),
        ("WITH a AS (SELECT FROM WHERE), b AS (SELECT 1) SELECT * FROM b", ["a", "b", ""], True),  # wrong within
        ("WITH", [""], False),
        ("WITH RECURSIVE", [""], False),
        (")(", [""], False),
    ],
)
def test_what_is_no_whole_chain(sql: str, names: list[str], whole: bool) -> None:
    assert [step.name for step in steps_of(sql)] == names
    assert "".join(texts(sql)) == sql
    assert is_chain(steps_of(sql)) is whole


@given(
    st.lists(
        st.sampled_from(["WITH", "a", "AS", "(", ")", ",", "SELECT", "1", "'", '"', ";", "\n", "--", "/*", "é"]),
        min_size=1,
    )
)
def test_any_text_is_covered_once(words: list[str]) -> None:
    sql = " ".join(words).strip() or "x"
    steps = steps_of(sql)
    assert "".join(texts(sql)) == sql
    assert all(step.start < step.end for step in steps)
    assert len(used_later(sql, steps)) == len(steps)


def test_names() -> None:
    names = names_in("SELECT p.Price * 2 AS twice FROM Product p JOIN a ON a.id = p.id ORDER BY twice")
    assert names.tables == {"product", "a"}
    assert names.columns == {"price", "id", "twice"}
    assert names.aliases == {"twice"}
    assert names_in("SELECT FROM WHERE") == names_in("(")


def test_names_of_what_sqlglot_would_read_for_ever() -> None:
    assert names_in("SELECT date(date(name)) FROM product").columns == {"name"}
    for word in ("date", "char", "struct", "time"):
        deep = f"{word}( 1 + " * 40 + "name" + ")" * 40
        assert names_in(f"SELECT {deep} FROM product") == names_in(
            f"SELECT 1 FROM (WITH a AS (SELECT {deep}) SELECT 2)"
        )
