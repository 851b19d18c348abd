"""Data that was not made here: every row is looked at before a training starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import DictConfig, OmegaConf

from experiments.reward_sql.data.rows import sql_row
from harness.data.look import look_at_data
from harness.errors import ConfigurationError
from harness.models.tiny import byte_tokenizer

GOLD = "SELECT name FROM product WHERE price = 4"
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


def row(sql: str = GOLD, db_id: str = "shop", question: str = "Which?") -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return sql_row(identity="x", source="shop", db_id=db_id, question="", sql=sql, messages=messages, index=0, split="")


def configuration(folder: Path, databases: Path, rows: list[dict[str, Any]], **data: Any) -> DictConfig:
    """A resolved configuration of these training rows and one more to validate on."""
    for split, some in (("train", rows), ("validation", [row()])):
        pq.write_table(pa.Table.from_pylist(some), folder / f"{split}.parquet")
    target = "experiments.reward_sql.rewards.execution.sql_execution"
    files = {
        f"{kind}_files": str(folder / f"{name}.parquet") for kind, name in (("train", "train"), ("val", "validation"))
    }
    limits = {"prompt_key": "prompt", "max_prompt_length": 200, "truncation": "error", "filter_overlong_prompts": False}
    return OmegaConf.create(
        {
            "run_dir": str(folder),
            "reward_fn": {"sql_execution": {"_target_": target, "weight": 1.0, "databases": str(databases), "seconds": 1.0}},
            "data": {**files, **limits, **data},
            "trainer": {"val_only": False},
            "actor_rollout_ref": {"model": {"path": str(folder / "model")}},
        }
    )  # fmt: skip


def test_good_data_passes(tmp_path: Path, databases: Path) -> None:
    said: list[str] = []
    look_at_data(configuration(tmp_path, databases, [row(), row("SELECT 1")]), said.append)
    assert said == ["looking at 3 rows of data"]
    assert not (tmp_path / "bad_rows.jsonl").exists()


def test_bad_rows_are_told_before_the_training(tmp_path: Path, databases: Path) -> None:
    byte_tokenizer().save_pretrained(tmp_path / "model")
    bad = [row("SELEC 1"), row("SELECT nothing FROM product"), row("DELETE FROM sale"), row("SELECT 'caf\ufffd'"),
           row(db_id="nowhere"), row(db_id="../shop"), row(db_id=""), row(question="long " * 40)]  # fmt: skip

    with pytest.raises(ConfigurationError) as raised:
        look_at_data(configuration(tmp_path, databases, [row(), *bad, row(ENDLESS)]))

    lines = raised.value.message.splitlines()
    assert lines[0] == "8 of 11 rows of the data cannot be trained on:"
    for line in (
        "1 with not an entry",
        "1 with text in a wrong",
        "2 with a database",
        "3 with gold SQL",
        "1 with a prompt",
    ):
        assert line in raised.value.message
    assert f"{tmp_path}/train.parquet[1] (shop): syntax: " in raised.value.message
    found = [json.loads(line) for line in (tmp_path / "bad_rows.jsonl").read_text().splitlines()]
    assert [each["row"] for each in found] == list(range(1, 10))
    assert found[7]["detail"].startswith("the prompt has 202 tokens, data.max_prompt_length=200")
    assert found[8]["detail"].startswith("timeout: ")  # costs the sample, as scoring.on_error says


@pytest.mark.parametrize("data", [{"filter_overlong_prompts": True}, {"truncation": "left"}])
def test_what_does_not_end_a_training_is_told_with_counts(
    tmp_path: Path, databases: Path, data: dict[str, Any]
) -> None:
    byte_tokenizer().save_pretrained(tmp_path / "model")
    said: list[str] = []
    rows = [row(question="long " * 40), row(), row(question="longer " * 40)]
    look_at_data(configuration(tmp_path, databases, rows, **data), said.append)
    assert said[1].startswith("2 of 4 rows: length: the prompt has ")
    assert ("is left out" in said[1]) is ("truncation" not in data)
    assert len((tmp_path / "bad_rows.jsonl").read_text().splitlines()) == 2


def test_a_missing_folder_of_databases_and_a_torn_file(tmp_path: Path, databases: Path) -> None:
    config = configuration(tmp_path, tmp_path / "none", [row()])
    with pytest.raises(
        ConfigurationError, match=r"reward_fn\.sql_execution\.databases=.*none: there is no such folder"
    ):
        look_at_data(config)
    (tmp_path / "train.parquet").write_bytes(b"PAR1 torn PAR1")
    with pytest.raises(ConfigurationError, match=r"train\.parquet cannot be read"):
        look_at_data(configuration_of(config, databases))


def configuration_of(config: DictConfig, databases: Path) -> DictConfig:
    """The same with these databases."""
    return OmegaConf.merge(config, {"reward_fn": {"sql_execution": {"databases": str(databases)}}})


def test_data_of_a_recipe_and_other_rewards_are_not_looked_at(tmp_path: Path, databases: Path) -> None:
    config = configuration(tmp_path, databases, [row("SELEC 1")])
    look_at_data(OmegaConf.merge(config, {"prepare": {"data": {"path": str(tmp_path)}}}))
    config.reward_fn.sql_execution._target_ = "experiments.reward_sql.rewards.validity.sql_validity"
    look_at_data(config)
    config.reward_fn.sql_execution._target_ = "experiments.reward_sql.rewards.execution.sql_execution"
    look_at_data(OmegaConf.merge(config, {"trainer": {"val_only": True}}))
