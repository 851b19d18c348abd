"""The databases that a process's rewards execute on: one executor a process for each folder and limit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from experiments.reward_sql.execution import Limits, Result, SqlExecutor
from experiments.reward_sql.sql.chain import Step
from harness.errors import HarnessError


@lru_cache(maxsize=8)
def open_databases(folder: str, seconds: float) -> SqlExecutor:
    """The executor of a folder, made when it is first asked for.

    Args:
        folder: Holds ``<db_id>/<db_id>.sqlite``.
        seconds: Longest time a query may take.
    """
    return SqlExecutor(Path(folder).expanduser(), limits=Limits(seconds=seconds))


def gold_result(executor: SqlExecutor, db_id: str, sql: str) -> Result:
    """The result of a gold query.

    One that ran out of time, here or before, is run once more: the machine may have been busy.

    Raises:
        HarnessError: It is no query that the database can answer: the data is wrong.
        RuntimeError: It took too long or too much here: the sample cannot be scored.
    """
    result = executor.execute(db_id, sql)
    if result.kind == "timeout":
        result = executor.execute(db_id, sql, fresh=True)
    if result.kind in ("syntax", "schema", "forbidden"):
        raise HarnessError(
            f"reward_model.ground_truth: the gold query {sql!r} cannot run on the database {db_id}: {result.error}",
            "Mend or drop this row of the data, or name the databases that belong to it.",
        )
    if not result.ok:
        raise RuntimeError(f"the gold query {sql!r} on {db_id} ended with {result.kind}: {result.error}")
    return result


def step_results(executor: SqlExecutor, db_id: str, steps: Sequence[Step]) -> list[Result]:
    """What comes of each step's query. After one that ran out of time the others, which hold it, are not tried."""
    results: list[Result] = []
    for step in steps:
        late = bool(results) and results[-1].kind == "timeout"
        results.append(results[-1] if late else executor.execute(db_id, step.query))
    return results


def database_of(extra_info: object) -> str:
    """The row's ``extra_info["db_id"]``.

    Raises:
        HarnessError: There is none.
    """
    found = extra_info.get("db_id") if isinstance(extra_info, dict) else None
    if not found:
        raise HarnessError(
            "the row has no extra_info['db_id'], so its database is not known.",
            "Make the data as experiments/reward_sql does, or choose another reward.",
        )
    return str(found)
