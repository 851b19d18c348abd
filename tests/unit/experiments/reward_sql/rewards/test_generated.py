"""Every generated question: its gold query and its chain are right in all rewards."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from experiments.reward_sql.data.generated import make_generated
from experiments.reward_sql.databases import open_databases
from experiments.reward_sql.process.rules import StepRules
from experiments.reward_sql.rewards.chain_format import sql_chain
from experiments.reward_sql.rewards.execution import sql_execution
from experiments.reward_sql.rewards.validity import sql_validity
from experiments.reward_sql.sql.chain import steps_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generated")
    make_generated(path, train_size=120, validation_size=60, test_size=60)
    return path


def test_gold_and_chain_are_right(folder: Path) -> None:
    databases = str(folder / "databases")
    executor = open_databases(databases, 5.0)
    scores = []
    for split in ("train", "validation", "test"):
        for row in pq.read_table(folder / f"{split}.parquet").to_pylist():
            gold, extra = row["reward_model"]["ground_truth"], row["extra_info"]
            chain = extra["solution"]
            for text in (gold, chain):
                assert (
                    sql_execution("", text, ground_truth=gold, extra_info=extra, databases=databases)["score"] == 1
                ), text
                assert sql_validity("", text, extra_info=extra, databases=databases) == {"score": 1.0}
            assert sql_chain("", chain)["score"] == 1, chain
            steps = steps_of(chain)
            results = executor.execute_many([(extra["db_id"], step.query) for step in steps])
            scores += StepRules().score("", chain, steps, results, gold)
    assert sum(scores) / len(scores) > 0.99


def test_another_questions_chain_is_seldom_right(folder: Path) -> None:
    rows = pq.read_table(folder / "train.parquet").to_pylist()
    same_database = [
        sql_execution(
            "",
            other["extra_info"]["solution"],
            ground_truth=row["reward_model"]["ground_truth"],
            extra_info=row["extra_info"],
            databases=str(folder / "databases"),
        )["score"]
        for row, other in zip(rows, rows[1:] + rows[:1], strict=True)
    ]
    assert sum(same_database) / len(rows) < 0.1
