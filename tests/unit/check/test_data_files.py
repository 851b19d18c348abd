"""The data's files: torn, damaged, without prompts, without rows; told before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from omegaconf import DictConfig, OmegaConf

from harness.check import data_files
from harness.check.data_files import data_problems, require_data
from harness.errors import ConfigurationError

CHAT = [{"role": "user", "content": "one and one?"}]


def config(*files: Path, **data: Any) -> DictConfig:
    named = [str(file) for file in files]
    return OmegaConf.create({"data": {"train_files": named, "val_files": None, "prompt_key": "prompt", **data}})


def told(*files: Path, **data: Any) -> list[str]:
    return [problem.message for problem in data_problems(config(*files, **data))]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return written(tmp_path / "sound.parquet", 3000)


def written(path: Path, rows: int, column: str = "prompt") -> Path:
    chats = pyarrow.array([CHAT] * rows, type=pyarrow.list_(pyarrow.struct([(n, pyarrow.string()) for n in CHAT[0]])))
    numbers = pyarrow.array(range(rows), type=pyarrow.int64())
    table = pyarrow.table({column: chats, "number": numbers})
    pyarrow.parquet.write_table(table, path, row_group_size=1500, use_dictionary=False)
    return path


def damaged(path: Path, column: int, row_group: int) -> Path:
    """Pages of one column overwritten; the footer is whole."""
    chunk = pyarrow.parquet.read_metadata(path).row_group(row_group).column(column)
    with path.open("r+b") as file:
        file.seek(chunk.data_page_offset)
        file.write(b"\xff" * chunk.total_compressed_size)
    return path


def test_sound_files_are_no_problem(sound: Path, tmp_path: Path) -> None:
    assert told(sound, written(tmp_path / "empty.parquet", 0)) == [], "one of several may be empty"


@pytest.mark.parametrize(("column", "row_group"), [(0, 0), (2, 1)], ids=["the prompts", "the last of another column"])
def test_a_damaged_page_is_found(sound: Path, column: int, row_group: int) -> None:
    damaged(sound, column, row_group)
    (problem,) = data_problems(config(sound))
    assert problem.key == "data.train_files"
    assert problem.message.startswith(f"data.train_files: {sound} cannot be read: ")
    assert problem.message.isprintable()
    assert problem.remedy == "Make it again; the copy may be torn."


def test_of_a_large_file_the_first_rows_are_read_and_on_request_all(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_files, "READ_WHOLE_BYTES", 0)
    damaged(sound, 0, 1)
    require_data(config(sound))
    with pytest.raises(ConfigurationError, match=r"data\.train_files: .*sound\.parquet cannot be read"):
        require_data(config(sound), whole=True)


def test_a_file_made_again_is_read_again(sound: Path) -> None:
    assert told(damaged(sound, 0, 0))
    assert not told(written(sound, 2000))


def test_the_prompts_column_is_looked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", 5, column="prompts")
    (problem,) = data_problems(config(path))
    assert problem.message == f"data.train_files: {path} has no column prompt (data.prompt_key)."
    assert problem.remedy == "Set data.prompt_key to the column of the prompts. Did you mean prompts?"
    assert not told(path, prompt_key="prompts")
    assert not told(path, custom_cls={"path": "mine.py", "name": "Mine"}), "a class of the user's reads what it wants"


def test_no_rows(tmp_path: Path) -> None:
    path = written(tmp_path / "empty.parquet", 0)
    assert told(path) == [f"data.train_files: {path} has no rows."]


def test_a_format_that_verl_does_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt\n")
    assert told(tmp_path / "a.csv") == [
        f"data.train_files: {tmp_path}/a.csv is none of .parquet, .json, .jsonl, which verl reads."
    ]


def test_what_a_recipe_makes_and_what_lies_elsewhere_is_not_looked_into(tmp_path: Path) -> None:
    elsewhere = config(tmp_path / "made" / "a.parquet", val_files="hdfs://there/b.parquet")
    assert not list(data_problems(elsewhere, made=[str(tmp_path / "made")]))
