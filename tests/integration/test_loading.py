"""What is said where verl's own class cannot load the data, or leaves nothing of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet
import pytest
from omegaconf import OmegaConf
from verl.utils.dataset.rl_dataset import RLHFDataset

from harness.backend.loading import loading_explained
from harness.check import data_files
from harness.data.parquet import make_row, write_splits
from harness.errors import ConfigurationError
from harness.models.tiny import byte_tokenizer

ROWS = 3000


@pytest.fixture
def trainer(tmp_path: Path) -> Any:
    chat = [{"role": "user", "content": "one and one?"}]
    about: dict[str, Any] = {"source": "s", "messages": chat, "ability": "a", "ground_truth": "2", "split": "train"}
    write_splits(tmp_path, {"train": [make_row(index=index, **about) for index in range(ROWS)]})
    file = str(tmp_path / "train.parquet")
    data = {
        "train_files": file,
        "val_files": file,
        "prompt_key": "prompt",
        "max_prompt_length": 128,
        "train_batch_size": 8,
        "filter_overlong_prompts_workers": 1,
        "cache_dir": str(tmp_path),
    }
    return SimpleNamespace(config=OmegaConf.create({"data": data, "trainer": {"val_only": False}}))


def load(trainer: Any) -> None:
    """As verl's `_init_dataloader` does."""
    with loading_explained(trainer):
        data = trainer.config.data
        trainer.train_dataset = RLHFDataset(data.train_files, byte_tokenizer(), data)
        trainer.val_dataset = trainer.train_dataset
        trainer.train_dataloader = range(len(trainer.train_dataset) // data.train_batch_size)
        if not len(trainer.val_dataset):
            raise ValueError("batch_size should be a positive integer value")


def test_sound_data(trainer: Any) -> None:
    load(trainer)
    assert len(trainer.train_dataset) == ROWS


def test_damage_that_only_reading_finds(trainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "READ_WHOLE_BYTES", 0)  # so that `harness check` would not have found it
    path = Path(trainer.config.data.train_files)
    chunk = pyarrow.parquet.read_metadata(path).row_group(0).column(1)
    with path.open("r+b") as file:
        file.seek(chunk.data_page_offset)
        file.write(b"\xff" * (chunk.total_compressed_size // 2))
    with pytest.raises(ConfigurationError, match=r"data\.train_files: .*train\.parquet cannot be read") as caught:
        load(trainer)
    assert caught.value.remedy == "Make it again; the copy may be torn."


def test_prompts_that_are_all_too_long(trainer: Any) -> None:
    trainer.config.data.max_prompt_length = 2
    with pytest.raises(ConfigurationError, match=r"data\.train_files: no prompt of it is left .*max_prompt_length=2"):
        load(trainer)


def test_fewer_prompts_than_a_batch(trainer: Any) -> None:
    trainer.config.data.train_batch_size = ROWS + 1
    with pytest.raises(ConfigurationError, match=r"3000 of its prompts .* fewer than data\.train_batch_size=3001"):
        load(trainer)


def test_an_error_of_another_kind_stays_as_it_is(trainer: Any) -> None:
    with pytest.raises(ZeroDivisionError), loading_explained(trainer):
        raise ZeroDivisionError
