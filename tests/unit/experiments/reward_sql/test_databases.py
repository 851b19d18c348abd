"""Gold queries: what is their fault, and what is the machine's."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.reward_sql.databases import gold_result
from experiments.reward_sql.execution import Limits, SqlExecutor
from experiments.reward_sql.execution.result import Result, failure

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class BusyOnce(SqlExecutor):
    """The first query runs out of time."""

    runs = 0

    def _run(self, path: Path, sql: str) -> Result:
        self.runs += 1
        return failure("timeout", "the time is up") if self.runs == 1 else super()._run(path, sql)


def test_a_gold_query_that_ran_out_of_time_once_is_run_again(databases: Path) -> None:
    with BusyOnce(databases, limits=Limits(seconds=10)) as executor:
        assert executor.execute("shop", "SELECT 7").kind == "timeout"  # as a response
        assert gold_result(executor, "shop", "SELECT 7").rows == ((7,),)
        assert executor.execute("shop", "SELECT 7").rows == ((7,),)


def test_a_gold_query_that_never_ends_costs_the_sample(databases: Path) -> None:
    with SqlExecutor(databases, limits=Limits(seconds=0.2)) as executor, pytest.raises(RuntimeError, match="timeout"):
        gold_result(executor, "shop", ENDLESS)
