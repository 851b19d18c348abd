"""Published data sets, from small files of their layout: columns, answers, what is left out, and where they come from."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyarrow import parquet

from harness.config.compose import compose_config, resolve
from harness.data import convert
from harness.data.dapo_math_17k import make_dapo_math_17k
from harness.data.eurus_2_rl import make_eurus_2_rl
from harness.data.gsm8k import final_number, make_gsm8k
from harness.data.math import boxed, make_math
from harness.errors import ConfigurationError, HarnessError
from harness.prepare import prepare_all
from harness.rewards.math_answer import math_answer


def _published() -> ModuleType:
    spec = importlib.util.spec_from_file_location("published", Path(__file__).with_name("published.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["published"] = module
    spec.loader.exec_module(module)
    return module


published = _published()
COLUMNS = ["data_source", "prompt", "ability", "reward_model", "extra_info"]


def rows(folder: Path, split: str) -> list[dict[str, Any]]:
    return parquet.read_table(folder / f"{split}.parquet").to_pylist()


def truths(folder: Path, split: str) -> list[str]:
    return [row["reward_model"]["ground_truth"] for row in rows(folder, split)]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


def test_gsm8k_in_verls_columns(tmp_path: Path, made: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = published.gsm8k(tmp_path / "gsm8k")
    with caplog.at_level(logging.WARNING):
        make_gsm8k(made, source=source, system="Be brief.", prompt='{question} After "####" {stays}.')
    train = rows(made, "train")
    assert all(list(row) == COLUMNS for row in train)
    assert truths(made, "train") == ["4", "1234", "-3.5"]
    assert train[2]["prompt"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": 'What is {left}? After "####" {stays}.'},
    ]
    assert {row["data_source"] for row in train} == {"openai/gsm8k"}
    assert [row["extra_info"]["index"] for row in train] == [0, 1, 2]
    assert truths(made, "validation") == ["4"]
    account = json.loads((made / "source.json").read_text())["splits"]["train"]
    assert account == {
        "read": 5,
        "kept": 3,
        "left_out": {"no number after #### in column answer": 1, "no text in column question": 1},
    }
    assert "train: 1 of 5 rows left out: no number after #### in column answer (rows 2)" in caplog.text


@pytest.mark.parametrize(
    ("answer", "number"), [("#### $1,000", "1000"), ("a #### 2 b\n#### 7 ", "7"), ("#### -.5", "-.5")]
)
def test_numbers_of_gsm8k(answer: str, number: str) -> None:
    assert final_number(answer) == number


def test_math_keeps_its_levels_and_leaves_what_is_held_out(tmp_path: Path, made: Path) -> None:
    source, held_out = published.math(tmp_path)
    make_math(made, source=source, held_out=held_out, train="data/*.parquet", levels=[3, 4, 5])
    assert truths(made, "train") == ["\\{1, 2\\}", "\\frac{1}{2}"]  # test files come first
    assert truths(made, "validation") == ["7"]  # the column, not the box
    assert rows(made, "validation")[0]["data_source"] == "HuggingFaceH4/MATH-500"
    account = json.loads((made / "source.json").read_text())["splits"]["train"]["left_out"]
    assert account == {
        "it is held out": 1,
        "its level is not among prepare.data.levels=[3, 4, 5]": 1,
        "no answer in a \\boxed{} of column solution": 1,
    }
    for truth in truths(made, "train"):
        assert math_answer("", f"It is $\\boxed{{{truth}}}$.", ground_truth=truth)["score"] == 1


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("$\\boxed{1}$ or rather $\\boxed{\\sqrt{2}}$", "\\sqrt{2}"),
        ("$\\boxed{\\left\\{x \\mid x > 0\\right\\}}$", "\\left\\{x \\mid x > 0\\right\\}"),
        ("$\\fbox{3}$", "3"),
        ("$\\boxed 5$.", "5"),
    ],
)
def test_boxes(solution: str, answer: str) -> None:
    assert boxed(solution) == answer


@pytest.mark.parametrize("solution", ["3", "$\\boxed{}$", "$\\boxed{\\frac{1}{2}$", "\\boxed", "\\boxed $"])
def test_no_box(solution: str) -> None:
    with pytest.raises(convert.LeftOut):
        boxed(solution)


def test_dapo_has_each_prompt_once(tmp_path: Path, made: Path) -> None:
    source, held_out = published.dapo(tmp_path)
    make_dapo_math_17k(made, source=source, held_out=held_out)
    assert truths(made, "train") == ["1", "2"]
    assert truths(made, "validation") == ["33"]
    told = json.loads((made / "source.json").read_text())
    assert told["splits"]["train"]["left_out"] == {
        "a prompt that was there before": 1,
        "no text in reward_model.ground_truth": 1,
    }
    assert told["held_out"] == held_out


def test_eurus_leaves_code_out_with_its_count(tmp_path: Path, made: Path) -> None:
    make_eurus_2_rl(made, source=published.eurus(tmp_path / "eurus"))
    assert truths(made, "train") == ["3", "6"]
    assert rows(made, "train")[0]["data_source"] == "numina_olympiads"
    assert [row["prompt"] for row in rows(made, "train")] == [
        [{"role": "system", "content": published.EURUS_SYSTEM}, {"role": "user", "content": content}]
        for content in ("Sum?", "Product?")
    ]
    account = json.loads((made / "source.json").read_text())["splits"]["train"]
    assert account == {"read": 3, "kept": 2, "left_out": {"a code task, whose tests would have to be run": 1}}


def test_sizes_take_the_first_rows(tmp_path: Path, made: Path) -> None:
    make_gsm8k(made, source=published.gsm8k(tmp_path / "gsm8k"), train_size=2)
    assert truths(made, "train") == ["4", "1234"]


def test_rows_are_written_in_parts(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.data.parquet.ROWS_AT_ONCE", 2)
    make_gsm8k(made, source=published.gsm8k(tmp_path / "gsm8k"))
    assert truths(made, "train") == ["4", "1234", "-3.5"]


def in_the_hubs_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`openai/gsm8k` as the hub's client keeps it, and no network."""
    repository, commit = cache / "datasets--openai--gsm8k", "0123456789abcdef0123456789abcdef01234567"
    published.gsm8k(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text(commit)
    without_network(cache, monkeypatch)


def without_network(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_the_hubs_cache_is_read_and_its_commit_kept(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_the_hubs_cache(tmp_path / "cache", monkeypatch)
    make_gsm8k(made)
    assert truths(made, "train") == ["4", "1234", "-3.5"]
    told = json.loads((made / "source.json").read_text())
    assert (told["source"], told["revision"]) == ("openai/gsm8k", "0123456789abcdef0123456789abcdef01234567")


def test_what_cannot_be_had_is_told_with_a_remedy(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_network(tmp_path / "cache", monkeypatch)
    with pytest.raises(
        HarnessError, match="openai/gsm8k: it is not in the hub's local cache, and HF_HUB_OFFLINE"
    ) as told:
        make_gsm8k(made)
    assert "copy the repository's files to a folder" in str(told.value)
    with pytest.raises(ConfigurationError, match="there is no folder"):
        make_gsm8k(made, source=str(tmp_path / "nothing"))
    with pytest.raises(ConfigurationError, match=r"prepare.data.source=a b") as told:
        make_gsm8k(made, source="a b")


def test_another_layout_names_the_files_that_are_there(tmp_path: Path, made: Path) -> None:
    source = published.gsm8k(tmp_path / "gsm8k")
    with pytest.raises(ConfigurationError, match=r"prepare\.data\.train=data/train\.jsonl") as told:
        make_gsm8k(made, source=source, train="data/train.jsonl")
    assert "main/train-00000-of-00002.parquet" in str(told.value)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (lambda file: file.write_bytes(b"PAR1 torn"), "cannot be read"),
        (
            lambda file: published.write_parquet(file, [{"q": "1", "a": "2"}]),
            "1 of 1 rows left out: no text in column question",
        ),
    ],
)
def test_broken_files_are_named(tmp_path: Path, made: Path, broken: Any, message: str) -> None:
    source = published.gsm8k(tmp_path / "gsm8k")
    broken(tmp_path / "gsm8k/main/test-00000-of-00001.parquet")
    with pytest.raises(ConfigurationError, match=message):
        make_gsm8k(made, source=source)


def test_settings_that_say_nothing_are_refused(tmp_path: Path, made: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Put \{question\} where it belongs"):
        make_gsm8k(made, source=published.gsm8k(tmp_path / "gsm8k"), prompt="Think.")
    source, held_out = published.math(tmp_path)
    with pytest.raises(ConfigurationError, match=r"levels=\[6\]"):
        make_math(made, source=source, held_out=held_out, levels=[6])


SOURCES = {
    "gsm8k": lambda folder: {"source": published.gsm8k(folder)},
    "math": lambda folder: (
        dict(zip(("source", "held_out"), published.math(folder), strict=True)) | {"train": "data/*.parquet"}
    ),
    "dapo_math_17k": lambda folder: dict(zip(("source", "held_out"), published.dapo(folder), strict=True)),
    "eurus_2_rl": lambda folder: {"source": published.eurus(folder)},
}


@pytest.mark.parametrize("option", SOURCES)
def test_each_option_makes_its_files(option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    words = [f"prepare.data.{key}={value}" for key, value in SOURCES[option](tmp_path / "source").items()]
    config = resolve(compose_config([f"data={option}", "model=smollm2_360m", *words]))
    told: list[str] = []
    prepare_all(config, told.append)
    assert told[0].startswith(f"making the data {option}")
    assert [line for line in told[1:] if re.match(r"(train|validation): \d of \d rows left out: ", line)] == told[1:]
    assert len(told) > 1
    for file in (config.data.train_files, config.data.val_files):
        (first, *_) = parquet.read_table(file).to_pylist()
        assert first["prompt"][-1]["role"] == "user"
        assert first["prompt"][-1]["content"].strip()
