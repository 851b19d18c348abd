"""Files are read once, and read again when they have changed; what is handed out is nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from harness.config.parsing import remember_parsed
from harness.config.search_path import VerlSource


def load(path: Path) -> object:
    remember_parsed()
    with path.open(encoding="utf-8") as file:
        return OmegaConf.load(file)


def test_an_edited_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: ${a}\n")
    assert load(path) == load(path) == OmegaConf.create({"a": 1, "b": "${a}"})
    path.write_text("a: 22\nb: ${a}\n")
    assert load(path).b == 22
    path.write_text("a: [")
    for _ in range(2):
        with pytest.raises(yaml.YAMLError):
            load(path)


def test_a_change_to_one_is_no_change_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: {b: 1}\n")
    load(path).a.b = 2
    assert load(path).a.b == 1
    source = VerlSource(provider="verl", path="verl://")
    source.load_config("model_engine/dp").config.trainer.nnodes = 99
    assert source.load_config("model_engine/dp").config.trainer.nnodes == 1
