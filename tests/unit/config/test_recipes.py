"""Recipes: the folder's name follows the parameters and the code, and making is all or nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from harness.config.recipes import recipe_hash
from harness.errors import ConfigurationError
from harness.prepare import missing_recipes, prepare_all

RECIPE = """
from pathlib import Path


def make_text(path: Path, *, text: str) -> None:
    (path / "text").write_text(text)
    if text == "bad":
        raise ValueError("no good")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "recipe_of_test.py"
    path.write_text(RECIPE)
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop("recipe_of_test", None)


def node(text: str, path: str = "anywhere") -> OmegaConf:
    return OmegaConf.create({"_target_": "recipe_of_test.make_text", "text": text, "path": path})


def test_the_hash_follows_parameters_and_code_but_not_the_path(module: Path) -> None:
    first = recipe_hash(node("a"))
    assert recipe_hash(node("a", "elsewhere")) == first
    assert recipe_hash(node("b")) != first
    module.write_text(RECIPE + "\n# changed\n")
    assert recipe_hash(node("a")) != first


def configuration(tmp_path: Path, text: str) -> OmegaConf:
    return OmegaConf.create(
        {"prepare": {"data": node(text, str(tmp_path / "made"))}, "trusted_modules": ["recipe_of_test"]}
    )


def test_making_happens_once(module: Path, tmp_path: Path) -> None:
    config, said = configuration(tmp_path, "hello"), []
    prepare_all(config, said.append)
    assert (tmp_path / "made/text").read_text() == "hello"
    assert missing_recipes(config) == []
    prepare_all(config, said.append)
    assert len(said) == 1


def test_a_recipe_comes_after_those_whose_folder_it_is_given(module: Path, tmp_path: Path) -> None:
    data, model = str(tmp_path / "data"), str(tmp_path / "model")
    config = OmegaConf.create(
        {"prepare": {"data": node(model, data), "model": node("x", model)}, "trusted_modules": ["recipe_of_test"]}
    )
    said: list[str] = []
    prepare_all(config, said.append)
    assert [line.split()[2] for line in said] == ["model", "data"]


def test_a_failing_recipe_leaves_nothing_that_looks_finished(module: Path, tmp_path: Path) -> None:
    config = configuration(tmp_path, "bad")
    with pytest.raises(
        ConfigurationError, match=r"prepare\.data: recipe_of_test\.make_text failed with ValueError: no good"
    ):
        prepare_all(config)
    assert missing_recipes(config) == ["data"]
