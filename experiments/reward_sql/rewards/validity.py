"""Whether SQL is valid: half for its syntax, all where it fits the database's schema too, right or wrong."""

from __future__ import annotations

from typing import Any

from experiments.reward_sql.databases import database_of, open_databases
from experiments.reward_sql.sql.response import find_sql

# What ran out of time or space was compiled before it ran; what is too complex was not, and a crash says nothing.
SCORES = {"ok": 1.0, "timeout": 1.0, "limit": 1.0, "schema": 0.5}


def sql_validity(
    input_text: str, response_text: str, *, extra_info: dict[str, Any], databases: str = "", seconds: float = 5.0
) -> dict[str, float]:
    """Have the response's SQL compiled and run.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response.
        extra_info: The row's own, with ``db_id``.
        databases: Folder that holds ``<db_id>/<db_id>.sqlite``.
        seconds: Longest time the query may take.

    Returns:
        ``score``: 1 where it compiles, 0.5 where a table, a column or the like is not there, 0 where it is no SQL, is
        too long or has too many parts to be compiled, or would do more than read. SQLite compiles what the query
        reads: a CTE that nothing reads is not looked at, which ``sql_chain`` does not allow.
    """
    found = find_sql(response_text)
    if found is None:
        return {"score": 0.0}
    result = open_databases(databases, seconds).execute(database_of(extra_info), found.text)
    return {"score": SCORES.get(result.kind, 0.0)}
