"""Execution match (EX), the outcome reward of Reward-SQL (arXiv:2505.04671): 1 where the result is the gold query's.

What makes two results equal is decided in `experiments.reward_sql.sql.comparison`.
"""

from __future__ import annotations

from typing import Any

from experiments.reward_sql.data.check import look_at_rows
from experiments.reward_sql.databases import database_of, gold_result, open_databases
from experiments.reward_sql.sql.comparison import Rules, same_rows
from experiments.reward_sql.sql.gold import gold_order
from experiments.reward_sql.sql.response import find_sql
from harness.data.look import looks_at_data


@looks_at_data(look_at_rows)
def sql_execution(
    input_text: str,
    response_text: str,
    *,
    ground_truth: str,
    extra_info: dict[str, Any],
    databases: str = "",
    seconds: float = 5.0,
    order: str = "gold",
    duplicates: bool = False,
    tolerance: float = 1e-10,
    column_order: bool = True,
    empty: bool = True,
) -> dict[str, float]:
    """Run the response's SQL and the gold query, and compare their rows.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response.
        ground_truth: The gold query.
        extra_info: The row's own, with ``db_id``.
        databases: Folder that holds ``<db_id>/<db_id>.sqlite``.
        seconds: Longest time a query may take.
        order: ``gold``: the order of rows counts where the gold query orders them; ``never``; ``always``.
        duplicates: Whether it counts how often a row is there.
        tolerance: Of numbers, relative and absolute.
        column_order: Whether the columns have to come in the gold's order.
        empty: Whether an empty result can match.

    Returns:
        ``score`` and ``acc``, 0 or 1; ``sql/runs`` and ``sql/empty``, whether it ran, and found nothing.

    Raises:
        HarnessError: The row's gold query or database is wrong.
    """
    executor, db_id = open_databases(databases, seconds), database_of(extra_info)
    rules = Rules(order, duplicates, tolerance, column_order, empty)
    gold = gold_result(executor, db_id, str(ground_truth))
    found = find_sql(response_text)
    result = executor.execute(db_id, found.text) if found else None
    runs = result is not None and result.ok
    match = result is not None and runs and same_rows(result.rows, gold.rows, rules, gold_order(str(ground_truth)))
    empty_result = result is not None and runs and not result.rows
    return {"score": float(match), "acc": float(match), "sql/runs": float(runs), "sql/empty": float(empty_result)}
