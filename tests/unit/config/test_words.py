"""Values survive Hydra's grammar."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from harness.config.compose import compose_config
from harness.config.words import as_value, quoted


@pytest.mark.parametrize(
    "text",
    ["/a/b-c.d", "/scratch/lr=1e-6", "it's", "a b", "back\\slash", "${x}", "[1]", "a,b", "end\\", "it\\'s", "ü/x"],
)
def test_a_text_survives_hydras_grammar(text: str) -> None:
    assert str(compose_config([f"name={quoted(text)}"])._get_node("name")._value()) == text.replace("${x}", "${x}")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-6", 1e-6), ("1.5e+3", 1500.0), ("null", None), ("true", True), ("[a, 'b c']", ["a", "b c"]), ("3", 3),
     ("{a: 1, b: [x]}", {"a": 1, "b": ["x"]}), ("'a,b'", "a,b"), ("''", ""), ("-0.5", -0.5), ("'1 '", "1 ")],
)  # fmt: skip
def test_a_value_of_yaml_is_the_same_on_the_command_line(text: str, value: Any) -> None:
    assert compose_config([f"+trainer.x={as_value(yaml.safe_load(text))}"]).trainer.x == value
