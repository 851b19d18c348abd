from __future__ import annotations

import pytest

from experiments.reward_sql.sql.response import find_sql


@pytest.mark.parametrize(
    ("response", "sql", "outside"),
    [
        ("SELECT 1;", "SELECT 1;", ""),
        ("\n  with a as (SELECT 1) select * from a\n", "with a as (SELECT 1) select * from a", ""),
        ("Here it is:\n```sql\nSELECT 1;\n```\nDone.", "SELECT 1;", "Here it is:\n\nDone."),
        ("```\nSELECT 1\n```\n```SQL\nSELECT 2\n```", "SELECT 2", "```\nSELECT 1\n```"),
        ("```sql\nSELECT 1", "SELECT 1", ""),
        ("<think>SELECT 9?\n```sql\nSELECT 8\n```</think>SELECT 1", "SELECT 1", ""),
        ("I select\nSELECT 1; it is one", "SELECT 1; it is one", "I select"),
        ("I would select the cheapest.", None, ""),
        ("```sql\n```", None, ""),
        ("", None, ""),
        ("SELECTED 1", None, ""),
        ("```sql SELECT 1```", "SELECT 1", ""),
        ("So: ```SQLite  SELECT 1;``` and no more", "SELECT 1;", "So:  and no more"),
        ("```SELECT 1```", "SELECT 1", ""),
        ("With the schema as it is (two tables):\nSELECT 1", "SELECT 1", "With the schema as it is (two tables):"),
        ("With the schema I can do nothing.", None, ""),
        ("With joins:\nWITH /* a, */ \"b c\" (x) -- first\n as not materialized(SELECT 1) SELECT 2",
         "WITH /* a, */ \"b c\" (x) -- first\n as not materialized(SELECT 1) SELECT 2", "With joins:"),
        ("WITH RECURSIVE n(i) AS (SELECT 1) SELECT i FROM n", "WITH RECURSIVE n(i) AS (SELECT 1) SELECT i FROM n", ""),
        ("WITH" + "/**/ /* * */" * 5000 + "a", None, ""),
    ],
)  # fmt: skip
def test_where_the_sql_stands(response: str, sql: str | None, outside: str) -> None:
    found = find_sql(response)
    if sql is None:
        assert found is None
        return
    assert found is not None
    assert (found.text, found.outside) == (sql, outside)
    assert response[found.start : found.start + len(sql)] == sql
