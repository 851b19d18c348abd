"""BIRD's and Spider's own layouts, with rows that cannot be trained on among them."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from experiments.reward_sql.data.benchmarks import make_benchmark
from experiments.reward_sql.execution import SqlExecutor
from harness.data.convert import left_out
from harness.errors import ConfigurationError

BIRD = {"benchmark": "bird", "seconds": 2, "processes": 1}
SPIDER = {**BIRD, "benchmark": "spider"}
ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"


def make_database(folder: Path, db_id: str) -> None:
    (folder / db_id).mkdir(parents=True)
    connection = sqlite3.connect(folder / db_id / f"{db_id}.sqlite")
    connection.execute("CREATE TABLE schools (id INTEGER PRIMARY KEY, name TEXT, `free meals` REAL)")
    connection.executemany("INSERT INTO schools VALUES (?, ?, ?)", [(1, "North", 0.5), (2, "South", 0.25)])
    connection.commit()
    connection.close()


def bird_entry(**changes: Any) -> dict[str, Any]:
    entry = {
        "question_id": 7,
        "db_id": "schools_db",
        "question": "How many schools are there?",
        "evidence": "A school is a row.",
        "SQL": "SELECT COUNT(*) FROM schools",
        "difficulty": "simple",
    }
    return {**entry, **changes}


def write_bird(folder: Path, train: list[Any], dev: list[Any]) -> dict[str, Any]:
    """Write both sets as BIRD's archives have them; return the recipe's parameters."""
    for part, entries in (("train", train), ("dev", dev)):
        make_database(folder / part / f"{part}_databases", "schools_db")
        (folder / part / f"{part}.json").write_text(json.dumps(entries))
    return {**BIRD, "train": str(folder / "train"), "dev": str(folder)}


def make(path: Path, parameters: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    path.mkdir()
    make_benchmark(path, **parameters)
    return {file.stem: parquet.read_table(file).to_pylist() for file in sorted(path.glob("*.parquet"))}


def test_bird_becomes_the_documented_columns(tmp_path: Path) -> None:
    train = [bird_entry(question_id=None), bird_entry(question="Which?", evidence="", difficulty=None)]
    parameters = write_bird(tmp_path / "bird", train, [bird_entry()])

    splits = make(tmp_path / "made", parameters)

    assert {split: len(rows) for split, rows in splits.items()} == {"train": 2, "validation": 1}
    (row,) = splits["validation"]
    assert {**row, "prompt": None} == {
        "id": "validation-7",
        "db_id": "schools_db",
        "data_source": "bird",
        "prompt": None,
        "ability": "sql",
        "reward_model": {"style": "rule", "ground_truth": "SELECT COUNT(*) FROM schools"},
        "extra_info": {
            "question": "How many schools are there?",
            "db_id": "schools_db",
            "idx": 0,
            "index": 0,
            "split": "validation",
            "answer": "SELECT COUNT(*) FROM schools",
            "evidence": "A school is a row.",
            "difficulty": "simple",
            "tables_left_out": 0,
        },
    }
    assert "`free meals` REAL, -- such as 0.5, 0.25" in row["prompt"][0]["content"]
    assert row["prompt"][0]["content"].endswith("A school is a row.\n\nHow many schools are there?")
    assert (tmp_path / "made" / "bad_rows.jsonl").read_text() == ""
    with SqlExecutor(tmp_path / "made" / "databases") as executor:
        assert executor.execute(row["db_id"], row["extra_info"]["answer"]).rows == ((2,),)


def test_spider_is_read_from_its_own_files(tmp_path: Path) -> None:
    folder = tmp_path / "spider"
    make_database(folder / "database", "schools_db")
    make_database(folder / "test_database", "schools_db")
    entry = {"db_id": "schools_db", "question": "How many?", "query": "SELECT COUNT(*) FROM schools", "query_toks": []}
    for name, count in (("train_spider", 3), ("train_others", 2), ("dev", 1), ("test", 4)):
        (folder / f"{name}.json").write_text(json.dumps([entry] * count))

    splits = make(
        tmp_path / "made",
        {**SPIDER, "train": str(folder), "dev": str(folder), "test": str(folder), "train_size": 4},
    )

    assert {split: len(rows) for split, rows in splits.items()} == {"train": 4, "validation": 1, "test": 4}
    assert [row["id"] for row in splits["train"]][2:] == ["train-train_spider.json:2", "train-train_others.json:0"]
    assert splits["test"][0]["data_source"] == "spider"


def test_databases_may_be_called_so_and_what_macos_adds_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "bird"
    make_database(folder / "unpacked" / "databases", "schools_db")
    for name in ("train", "dev"):
        (folder / "unpacked" / f"{name}.json").write_text(json.dumps([bird_entry()]))
        (folder / "__MACOSX").mkdir(exist_ok=True)
        (folder / "__MACOSX" / f"{name}.json").write_bytes(b"\x00\x05\x16")
    (folder / "__MACOSX" / "train_databases").mkdir()

    splits = make(tmp_path / "made", {**BIRD, "train": str(folder), "dev": str(folder)})

    assert {split: len(rows) for split, rows in splits.items()} == {"train": 1, "validation": 1}


BAD: list[tuple[str, Any, str]] = [
    ("entry", "text", "a str instead of an object"),
    ("entry", bird_entry(question=" "), "there is no question"),
    ("entry", bird_entry(SQL=None), "there is no SQL"),
    ("entry", {"question": "How?", "SQL": "SELECT 1"}, "there is no db_id"),
    ("encoding", bird_entry(question="Caf\ufffd?"), r"question holds '\ufffd'"),
    ("encoding", bird_entry(evidence="na\x92ive"), r"evidence holds '\x92'"),
    ("encoding", bird_entry(question="\ud800"), r"question holds '\ud800'"),
    ("database", bird_entry(db_id="nowhere"), "there is no "),
    ("database", bird_entry(db_id="../schools_db"), "there is no "),
    ("database", bird_entry(db_id="torn"), "file is not a database"),
    ("database", bird_entry(db_id="empty"), "holds no table"),
    ("sql", bird_entry(SQL="SELEC 1"), "syntax: "),
    ("sql", bird_entry(SQL="SELECT nowhere FROM schools"), "schema: no such column"),
    ("sql", bird_entry(SQL="DELETE FROM schools"), "forbidden: "),
    ("sql", bird_entry(SQL=ENDLESS), "timeout: "),
    ("length", bird_entry(question="long " * 700), "the prompt has a length of "),
]


def test_databases_of_one_name_must_be_one(tmp_path: Path) -> None:
    parameters = write_bird(tmp_path / "bird", [bird_entry()], [bird_entry()])
    make(tmp_path / "same", parameters)
    connection = sqlite3.connect(tmp_path / "bird" / "dev" / "dev_databases" / "schools_db" / "schools_db.sqlite")
    connection.execute("DELETE FROM schools")
    connection.commit()
    connection.close()

    with pytest.raises(ConfigurationError, match=r"another database than .*train_databases.*, which has the same name"):
        make(tmp_path / "other", parameters)


@pytest.fixture
def with_bad_rows(tmp_path: Path) -> dict[str, Any]:
    train = [bird_entry(), *(entry for _, entry, _ in BAD), bird_entry(question="Again?")]
    parameters = write_bird(tmp_path / "bird", train, [bird_entry()])
    databases = tmp_path / "bird" / "train" / "train_databases"
    (databases / "torn").mkdir()
    (databases / "torn" / "torn.sqlite").write_bytes(b"no database" * 100)
    (databases / "empty").mkdir()
    (databases / "empty" / "empty.sqlite").touch()
    return {**parameters, "max_prompt_length": 500}


def test_bad_rows_are_an_error_that_counts_and_reports_them(tmp_path: Path, with_bad_rows: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make(tmp_path / "made", with_bad_rows)

    message = raised.value.message
    assert message.startswith(f"{len(BAD)} of {len(BAD) + 3} rows of the data set cannot be trained on:")
    for line in ("4 with not an entry", "3 with text in a wrong encoding", "4 with a database", "4 with gold SQL that",
                 "1 with a prompt over the limit", "train.json[1] (no database): a str instead of an object"):  # fmt: skip
        assert line in message
    assert "bad_rows=drop" in raised.value.remedy
    found = [json.loads(line) for line in (tmp_path / "made" / "bad_rows.jsonl").read_text().splitlines()]
    assert [row["row"] for row in found] == list(range(1, len(BAD) + 1))
    for row, (problem, _, detail) in zip(found, BAD, strict=True):
        assert row["problem"] == problem
        assert detail in row["detail"]


def test_bad_rows_may_be_left_out(tmp_path: Path, with_bad_rows: dict[str, Any]) -> None:
    splits = make(tmp_path / "made", {**with_bad_rows, "bad_rows": "drop"})

    assert [row["extra_info"]["question"] for row in splits["train"]] == ["How many schools are there?", "Again?"]
    assert [row["extra_info"]["idx"] for row in splits["train"]] == [0, 1]
    assert len((tmp_path / "made" / "bad_rows.jsonl").read_text().splitlines()) == len(BAD)
    told = left_out(tmp_path / "made")  # what `harness train` tells after making the data
    total = len(BAD) + 2
    assert f"train: 4 of {total} rows left out: a database that is missing or cannot be read" in told
    assert f"train: 1 of {total} rows left out: a prompt over the limit" in told
    assert not [line for line in told if line.startswith("validation")]


def test_a_split_of_nothing_but_bad_rows_is_an_error(tmp_path: Path) -> None:
    parameters = write_bird(tmp_path / "bird", [bird_entry()], [bird_entry(SQL="x"), bird_entry(SQL="y")])

    with pytest.raises(
        ConfigurationError, match="can be used for validation; 2 of 2 are left out:\n    2 with gold SQL"
    ):
        make(tmp_path / "made", {**parameters, "bad_rows": "drop"})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'[{"question": "x"',
            "train.json is broken JSON in line 1, column 18, in its first entry: .* near .*question",
        ),
        (
            b'[{"a": 1},\n {"b": 2},\n {"c": oops}]',
            "line 3, column 8, after 2 whole entries, the last .* 1 from 0: .* near .*oops",
        ),
        (b'[{"a": 1} {"b": 2}]', "after 1 whole entries"),
        (b'{"a": 1}', "holds no list of questions but a dict"),
        (b"[]", "train.json holds an empty list"),
    ],
)
def test_a_broken_file_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    parameters = write_bird(tmp_path / "bird", [], [bird_entry()])
    (tmp_path / "bird" / "train" / "train.json").write_bytes(content)

    with pytest.raises(ConfigurationError, match=message):
        make(tmp_path / "made", parameters)


def test_a_wrong_encoding_is_told_by_row(tmp_path: Path) -> None:
    entries = [bird_entry(), bird_entry(question="Which CAFE?"), bird_entry()]
    parameters = write_bird(tmp_path / "bird", entries, [bird_entry()])
    file = tmp_path / "bird" / "train" / "train.json"
    file.write_bytes(file.read_bytes().replace(b"CAFE", b"caf\xe9"))

    with pytest.raises(
        ConfigurationError, match=r"train\.json\[1\] \(schools_db\): question holds '\\udce9'"
    ) as raised:
        make(tmp_path / "made", parameters)

    assert "1 of 4 rows" in raised.value.message
    splits = make(tmp_path / "dropped", {**parameters, "bad_rows": "drop"})
    assert len(splits["train"]) == 2


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    parameters = write_bird(tmp_path / "bird", [bird_entry()], [bird_entry()])

    for changes, message in (
        ({"train": str(tmp_path / "nowhere")}, "nowhere holds no train.json"),
        ({"dev": str(tmp_path / "bird" / "train")}, "holds no dev.json or mini_dev_sqlite.json"),
        ({"benchmark": "wiki"}, "benchmark='wiki' is not one of bird, spider"),
        ({"bad_rows": "keep"}, "bad_rows='keep' is not one of error, drop"),
        ({"test": "x"}, "bird has no public test set"),
        ({"tokenizer": str(tmp_path / "none")}, "tokenizer=.* cannot be loaded"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            make(tmp_path / f"made {message[:9]}", {**parameters, **changes})
