from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from harness.data.reasoning_gym import make_reasoning_gym, reasoning_gym_rows
from harness.errors import ConfigurationError

SUMS = {"chain_sum": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2}}


def make(path: Path, **changes: Any) -> dict[str, list[dict[str, Any]]]:
    path.mkdir(exist_ok=True)
    make_reasoning_gym(path, **{"tasks": SUMS, "train_size": 40, "validation_size": 10, **changes})
    return {split: parquet.read_table(path / f"{split}.parquet").to_pylist() for split in ("train", "validation")}


def questions(rows: list[dict[str, Any]]) -> list[str]:
    return [json.loads(row["extra_info"]["reasoning_gym"])["entry"]["question"] for row in rows]


def test_rows_have_the_columns_verl_reads(tmp_path: Path) -> None:
    splits = make(tmp_path)

    assert {split: len(rows) for split, rows in splits.items()} == {"train": 40, "validation": 10}
    for split, rows in splits.items():
        assert [row["extra_info"]["index"] for row in rows] == list(range(len(rows)))
        for row in rows:
            assert list(row) == ["data_source", "prompt", "ability", "reward_model", "extra_info"]
            assert row["data_source"] == "chain_sum"
            assert [message["role"] for message in row["prompt"]] == ["user"]
            assert row["reward_model"]["style"] == "rule"
            int(row["reward_model"]["ground_truth"])
            assert row["extra_info"]["split"] == split


def test_held_out_questions_differ_and_are_not_trained_on(tmp_path: Path) -> None:
    few = {"products": {"min_digits": 1, "max_digits": 1}}  # a hundred different questions

    splits = make(tmp_path, tasks=few, train_size=300, validation_size=50)

    held_out = questions(splits["validation"])
    assert len(set(held_out)) == len(held_out) == 50
    assert not set(held_out) & set(questions(splits["train"]))


def test_same_seed_same_bytes_and_another_seed_other_questions(tmp_path: Path) -> None:
    first, again, other = (make(tmp_path / name, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))

    assert (tmp_path / "a/train.parquet").read_bytes() == (tmp_path / "b/train.parquet").read_bytes()
    assert first == again
    assert questions(first["train"]) != questions(other["train"])


def test_held_out_rows_do_not_depend_on_the_training_size(tmp_path: Path) -> None:
    assert make(tmp_path / "a", train_size=10)["validation"] == make(tmp_path / "b", train_size=50)["validation"]


def test_tasks_share_the_rows_evenly(tmp_path: Path) -> None:
    splits = make(tmp_path, tasks={**SUMS, "spell_backward": {}}, train_size=9, validation_size=4)

    names = [row["data_source"] for row in splits["train"]]
    assert (names.count("chain_sum"), names.count("spell_backward")) == (5, 4)


def test_system_prompt_and_examples_make_the_chat() -> None:
    rows = reasoning_gym_rows(SUMS, {"train": 3}, system="Be brief.", prompt="{expression} = ?", examples=1)["train"]

    shown = {json.dumps(row["prompt"][:3]) for row in rows}
    assert [message["role"] for message in rows[0]["prompt"]] == ["system", "user", "assistant", "user"]
    assert len(shown) == 1
    assert rows[0]["prompt"][0]["content"] == "Be brief."
    assert rows[0]["prompt"][1]["content"] not in {row["prompt"][3]["content"] for row in rows}
    assert rows[0]["prompt"][3]["content"].endswith(" = ?")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": {}}, "prepare.data.tasks is empty"),
        ({"tasks": {"chain_sums": {}}}, "tasks.chain_sums: reasoning-gym .* has no such task"),
        ({"tasks": {"chain_sum": {"terms": 2}}}, "unexpected keyword argument 'terms'"),
        ({"tasks": {"chain_sum": {"min_terms": 3, "max_terms": 2}}}, "max_terms must be >= min_terms"),
        (
            {"tasks": {"lcm": {"max_value": 3}}},
            "lcm has too few different questions: .* give 9 of the 10 to hold out or show",
        ),
        ({"tasks": {"rearc": {}}}, "cannot be kept in a data set"),
        ({"prompt": "{expresion}"}, "prepare.data.prompt='{expresion}' cannot be filled in"),
        ({"prompt": "{"}, "prepare.data.prompt='{' cannot be filled in"),
    ],
)
def test_what_cannot_be_made_is_refused_by_its_key(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        make(tmp_path, **changes)

    assert caught.value.remedy
    assert not list(tmp_path.iterdir())
