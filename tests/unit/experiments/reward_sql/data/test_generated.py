from __future__ import annotations

import hashlib
import inspect
import json
import re
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from pyarrow import parquet

from experiments.reward_sql import train_verl
from experiments.reward_sql.data.generated import VERSION, generated_rows, make_generated
from experiments.reward_sql.data.length import length_of
from experiments.reward_sql.data.prompt import PromptForm
from experiments.reward_sql.data.questions import templates
from experiments.reward_sql.data.schemas import HELD_OUT, SEEN, tables_of
from experiments.reward_sql.execution import SqlExecutor
from harness.data.convert import left_out
from harness.errors import ConfigurationError

SIZES = {"train_size": 1500, "validation_size": 200, "test_size": 300}
SPLITS = ("train", "validation", "test")
Rows = dict[str, list[dict[str, Any]]]


def make(path: Path, **changes: Any) -> Rows:
    """Return the rows of each split of a new data set."""
    path.mkdir(exist_ok=True)
    make_generated(path, **{**SIZES, **changes})
    return {split: parquet.read_table(path / f"{split}.parquet").to_pylist() for split in SPLITS}


def digest(splits: Rows) -> str:
    """Return a hash of all rows."""
    return hashlib.sha256(json.dumps(splits, sort_keys=True).encode()).hexdigest()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("generated")


@pytest.fixture(scope="module")
def splits(folder: Path) -> Rows:
    return make(folder)


def test_rows_have_the_documented_columns(splits: Rows) -> None:
    columns = ["id", "db_id", "data_source", "prompt", "ability", "reward_model", "extra_info"]
    for split, rows in splits.items():
        for index, row in enumerate(rows):
            assert list(row) == columns
            assert row["ability"] == "sql"
            assert [message["role"] for message in row["prompt"]] == ["user"]
            assert row["prompt"][0]["content"].endswith(f"\n{row['extra_info']['question']}")
            assert row["reward_model"] == {"style": "rule", "ground_truth": row["extra_info"]["answer"]}
            assert row["extra_info"]["db_id"] == row["db_id"]
            assert row["extra_info"]["idx"] == row["extra_info"]["index"] == index
            assert row["extra_info"]["split"] == split
    assert {split: len(rows) for split, rows in splits.items()} == dict(zip(SPLITS, SIZES.values(), strict=True))


def test_there_are_enough_databases_of_several_tables_and_questions_by_default(tmp_path: Path) -> None:
    default = inspect.signature(make_generated).parameters["train_size"].default
    option = OmegaConf.load(Path(train_verl.__file__).parent / "conf/data/reward_sql_generated.yaml")
    form = PromptForm(None, option.prepare.data.prompt, option.prepare.data.style, 4096, length_of(None))
    sizes = {"train": min(default, option.prepare.data.train_size)}
    rows = generated_rows(tmp_path / "databases", sizes, form, 0, None)["train"]  # seven seconds of CPU time
    assert len({(row["db_id"], row["extra_info"]["question"]) for row in rows}) == len(rows) >= 20_000
    assert len({row["db_id"] for row in rows}) >= 8
    assert len({*SEEN, *HELD_OUT}) >= 8
    for db_id in (*SEEN, *HELD_OUT):
        tables = tables_of(db_id).values()
        assert len(tables) >= 3
        assert sum(len(table.of_kind("ref")) for table in tables) >= 2


def test_splits_are_by_template_and_by_database(splits: Rows) -> None:
    held_out = {name for name, held in templates().items() if held}
    by_split = {split: {row["extra_info"]["template"] for row in rows} for split, rows in splits.items()}
    databases = {split: {row["db_id"] for row in rows} for split, rows in splits.items()}

    assert not by_split["train"] & held_out
    assert by_split["validation"] <= held_out
    assert by_split["test"] & held_out
    assert by_split["test"] - held_out
    assert databases == {"train": set(SEEN), "validation": set(SEEN), "test": set(HELD_OUT)}
    assert {row["data_source"] for row in splits["validation"]} == {"held_out_templates"}
    assert {row["data_source"] for row in splits["test"]} == {"held_out_databases"}


def test_questions_differ_within_a_database(splits: Rows) -> None:
    asked = Counter((row["db_id"], row["extra_info"]["question"]) for rows in splits.values() for row in rows)

    assert set(asked.values()) == {1}


def test_gold_and_chain_run_where_models_sql_runs_and_give_the_same_rows(folder: Path, splits: Rows) -> None:
    rows = [row for split in splits.values() for row in split]
    with SqlExecutor(folder / "databases", processes=2) as executor:
        gold = executor.execute_many([(row["db_id"], row["extra_info"]["answer"]) for row in rows])
        chain = executor.execute_many([(row["db_id"], row["extra_info"]["solution"]) for row in rows])

    assert [result.error for result in (*gold, *chain) if not result.ok] == []
    assert all(result.rows for result in gold)
    for one, other in zip(gold, chain, strict=True):
        assert Counter(one.rows) == Counter(other.rows)


ORDERED = re.compile(r"SELECT (.*?) FROM (.*) ORDER BY (\S+) (ASC|DESC)(?: LIMIT (\d+))?")


def test_an_order_that_is_asked_for_leaves_one_answer(folder: Path, splits: Rows) -> None:
    ordered = []
    for row in (row for split in splits.values() for row in split if "ORDER BY" in row["extra_info"]["answer"]):
        found = ORDERED.fullmatch(row["extra_info"]["answer"])
        assert found, row["extra_info"]["answer"]
        _, rest, key, way, limit = found.groups()
        ordered.append((row["db_id"], f"SELECT {key} FROM {rest} ORDER BY {key} {way} LIMIT {int(limit or 10**6) + 1}"))
        words = {"sorted": "order of", "top": "est on?", "extreme": "which"}
        assert words.get(row["extra_info"]["template"].split("|")[0], "Which") in row["extra_info"]["question"]
    with SqlExecutor(folder / "databases", processes=2) as executor:
        keys = [result.rows for result in executor.execute_many(ordered)]

    assert len(keys) > 200
    assert [rows for rows in keys if len(set(rows)) < len(rows)] == []


def test_questions_are_of_every_kind_and_difficulty(splits: Rows) -> None:
    sql = [row["extra_info"]["answer"] for row in splits["train"]]
    kinds = ("JOIN", "GROUP BY", "HAVING", "ORDER BY", "LIMIT", "UNION", "INTERSECT", "EXCEPT", "strftime", "DISTINCT",
             "NOT IN (SELECT", "(SELECT AVG", "BETWEEN", "LIKE", "IN ('")  # fmt: skip

    assert {kind: sum(kind in text for text in sql) for kind in kinds if not any(kind in text for text in sql)} == {}
    shares = Counter(row["extra_info"]["difficulty"] for row in splits["train"])
    assert min(shares[name] for name in ("easy", "medium", "hard", "extra")) > 0.1 * len(sql)


def test_solutions_are_chains_of_ctes(splits: Rows) -> None:
    for row in splits["train"]:
        solution = row["extra_info"]["solution"]
        assert re.fullmatch(r"WITH c1 AS \(.*\) SELECT .*;", solution, re.DOTALL)
        assert solution.count(" AS (SELECT") == solution.count(",\n\nc") + 1


def test_the_seed_decides_all_and_the_bytes_are_the_same(folder: Path, splits: Rows, tmp_path: Path) -> None:
    again, other = make(tmp_path / "again"), make(tmp_path / "other", seed=1)

    assert digest(again) == digest(splits) != digest(other)
    for file in sorted((folder / "databases").rglob("*.sqlite")):
        assert (tmp_path / "again" / file.relative_to(folder)).read_bytes() == file.read_bytes()


def test_a_change_of_what_is_made_raises_the_version(splits: Rows) -> None:
    """Where this fails: raise VERSION, so that the cache makes the data again, and put the new digest here."""
    assert (VERSION, digest(splits)[:16]) == (2, "d3a4a7a6fb979b05")


def test_held_out_questions_do_not_depend_on_the_training_size(splits: Rows, tmp_path: Path) -> None:
    small = make(tmp_path / "small", train_size=20)

    assert [row["id"] for row in small["train"]] == [f"train-{i}" for i in range(20)]
    assert (small["validation"], small["test"]) == (splits["validation"], splits["test"])


def test_difficulties_choose_the_questions(tmp_path: Path) -> None:
    easy = {"easy": True, "medium": False, "hard": False, "extra": False}
    rows = make(tmp_path, train_size=100, validation_size=50, test_size=50, difficulties=easy)

    assert {row["extra_info"]["difficulty"] for split in rows.values() for row in split} == {"easy"}


def test_foreign_keys_hold(folder: Path, splits: Rows) -> None:
    for file in sorted((folder / "databases").rglob("*.sqlite")):
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()


def test_wrong_parameters_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="style='xml' is not one of compact, ddl"):
        make(tmp_path / "a", style="xml")


def test_prompts_over_the_limit_are_an_error_with_counts(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"prepare\.data\.max_prompt_length=20: 9 of 9 prompts of train are longer; the first one: the prompt has a",
    ):
        make(tmp_path, train_size=9, validation_size=1, test_size=1, max_prompt_length=20)


def test_tables_left_out_are_counted(tmp_path: Path) -> None:
    sizes = {"train_size": 30, "validation_size": 1, "test_size": 1}
    rows = make(tmp_path, **sizes, max_prompt_length=120)["train"]
    lost = [
        int(found.group(1))
        for row in rows
        if (found := re.search(r"-- (\d+) more tables", row["prompt"][-1]["content"]))
    ]
    told = f"train: {len(lost)} of 30 prompts have lost tables to prepare.data.max_prompt_length, {sum(lost)} together"
    assert lost
    assert left_out(tmp_path)[0] == told
    make(tmp_path / "whole", **sizes)
    assert left_out(tmp_path / "whole") == []
