"""The reward functions on a database whose results can be reckoned by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.reward_sql.rewards.chain_format import sql_chain
from experiments.reward_sql.rewards.execution import sql_execution
from experiments.reward_sql.rewards.validity import sql_validity
from harness.errors import HarnessError

SHOP = {"db_id": "shop"}
GOLD = "SELECT name FROM product WHERE price = 4"
CHAIN = "WITH dear AS (SELECT * FROM product WHERE price = 4),\n\nnamed AS (SELECT name FROM dear)\n\nSELECT name FROM named;"


def execution(databases: Path, response: str, gold: str = GOLD, **rules: Any) -> dict[str, float]:
    return sql_execution("", response, ground_truth=gold, extra_info=SHOP, databases=str(databases), **rules)


@pytest.mark.parametrize(
    ("response", "gold", "score"),
    [
        (CHAIN, GOLD, 1.0),
        (f"```sql\n{CHAIN}\n```", GOLD, 1.0),
        ("SELECT name FROM product WHERE id IN (2, 3)", GOLD, 1.0),  # a wrong query with the right rows
        ("SELECT name FROM product WHERE price >= 1", GOLD, 0.0),
        ("SELECT name, id FROM product WHERE price = 4", GOLD, 0.0),  # a column more
        ("SELECT name, name FROM product WHERE price = 4", GOLD, 0.0),  # a column twice
        ("SELECT product.name FROM product, sale WHERE price = 4", GOLD, 1.0),  # rows three times
        ("SELECT title FROM product", GOLD, 0.0),
        ("SELECT name FROM product WHERE price = 4; SELECT 1", GOLD, 0.0),
        ("no SQL", GOLD, 0.0),
        ("SELECT stock / 4.0 FROM product WHERE id = 3", "SELECT 0.25 * stock FROM product WHERE id = 3", 1.0),
        ("SELECT sum(price) FROM product WHERE id = 4", "SELECT NULL", 1.0),
        ("SELECT total(price) FROM product WHERE id = 4", "SELECT NULL", 0.0),
        ("SELECT name FROM product ORDER BY name", "SELECT name FROM product ORDER BY name DESC", 0.0),
        ("SELECT name, price FROM product ORDER BY price, name", "SELECT name, price FROM product ORDER BY price", 1.0),
        ("SELECT 1 WHERE 0", "SELECT name FROM product WHERE price > 9", 1.0),
        ("SELECT id, name FROM product", "SELECT name, id FROM product", 0.0),
    ],
)
def test_execution(databases: Path, response: str, gold: str, score: float) -> None:
    result = execution(databases, response, gold)
    assert result["score"] == result["acc"] == score


def test_rules_change_what_counts(databases: Path) -> None:
    assert execution(databases, "SELECT 1 WHERE 0", "SELECT 2 WHERE 0", empty=False)["score"] == 0
    twice = "SELECT product.name FROM product, sale WHERE price = 4"
    assert execution(databases, twice, duplicates=True)["score"] == 0
    assert execution(databases, "SELECT id, name FROM product", "SELECT name, id FROM product", column_order=False)[
        "score"
    ]


def test_what_is_logged_beside(databases: Path) -> None:
    assert execution(databases, "SELECT 1 WHERE 0")["sql/empty"] == 1
    assert execution(databases, "SELECT 1")["sql/runs"] == 1
    assert execution(databases, "SELECT x")["sql/runs"] == execution(databases, "")["sql/runs"] == 0


def test_wrong_data_ends_the_run(databases: Path) -> None:
    with pytest.raises(
        HarnessError, match=r"the gold query 'SELECT title FROM product' cannot run on the database shop"
    ):
        execution(databases, "SELECT 1", "SELECT title FROM product")
    with pytest.raises(HarnessError, match=r"no extra_info\['db_id'\]"):
        sql_execution("", "SELECT 1", ground_truth="SELECT 1", extra_info={}, databases=str(databases))
    with pytest.raises(HarnessError, match="no database 'bank'"):
        sql_execution("", "", ground_truth="SELECT 1", extra_info={"db_id": "bank"}, databases=str(databases))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(RuntimeError, match="timeout"):
        execution(databases, "SELECT 1", endless, seconds=0.2)
    assert execution(databases, endless, seconds=2)["score"] == 0


@pytest.mark.parametrize(
    ("response", "score"),
    [
        (CHAIN, 1.0),
        ("SELECT 7", 1.0),
        ("SELECT title FROM product", 0.5),
        ("SELECT name FROM", 0.0),
        ("DROP TABLE product", 0.0),  # neither WITH nor SELECT
        ("```sql\nDROP TABLE product\n```", 0.0),
        ("text", 0.0),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", 1.0),
        # what was never compiled
        ("SELECT " + "(" * 300, 0.0),
        ("SELECT " + "(" * 300 + "1" + ")" * 300, 0.0),
        ("SELECT " + ", ".join(["1"] * 501), 0.0),
        ("SELECT '" + "x" * 20_000 + "'", 0.0),
    ],
)
def test_validity(databases: Path, response: str, score: float) -> None:
    seconds = 0.2 if "RECURSIVE" in response else 10
    assert sql_validity("", response, extra_info=SHOP, databases=str(databases), seconds=seconds) == {"score": score}


@pytest.mark.parametrize(
    ("response", "parameters", "score", "steps"),
    [
        (CHAIN, {}, 1.0, 3),
        (f"```sql\n{CHAIN}\n```", {}, 1.0, 3),
        (f"<think>first the dear ones</think>\n{CHAIN}", {}, 1.0, 3),
        (f"So:\n```sql\n{CHAIN}\n```", {}, 0.0, 3),
        (f"So:\n```sql\n{CHAIN}\n```", {"only": False}, 1.0, 3),
        (CHAIN.removesuffix(";"), {}, 0.0, 3),
        (CHAIN.removesuffix(";"), {"ends": False}, 1.0, 3),
        (CHAIN, {"most_steps": 2}, 0.0, 3),
        (GOLD + ";", {}, 0.0, 1),
        ("WITH a AS (SELECT x FROM nowhere) SELECT 1;", {}, 0.0, 2),  # which nothing reads
        ("nothing", {}, 0.0, 0),
    ],
)
def test_form(response: str, parameters: dict[str, Any], score: float, steps: int) -> None:
    assert sql_chain("", response, **parameters) == {"score": score, "sql/steps": steps}
