"""Overrides are read as YAML says, also those that no parser is asked about."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.compare.about import PLAIN_WORDS, _words

PLAIN = ["- seed=1\n", "- algorithm=dapo\n- a.b-c=1e-6\n- ++x=[a,b]\n- ~y/z=\n- +m=a@b\n"]
NOT_PLAIN = [
    "[]\n", "- a\n", "- 'a=b'\n", "- a=b: c\n", "- a=b #c\n", "- a=${b}\n", "- a=b", "- a=b\n  c\n", "- null\n", "- =a\n",
    "- - a=b\n", "", "- a=b \n", "a=b\n", "- a=b\n\n", "- a=é\n",
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_are_what_yaml_says(text: str) -> None:
    assert PLAIN_WORDS.fullmatch(text.encode())
    assert _words(text.encode()) == yaml.safe_load(text)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_all_else_is_left_to_yaml(text: str) -> None:
    assert not PLAIN_WORDS.fullmatch(text.encode())
    assert _words(text.encode()) == yaml.safe_load(text)


@given(st.lists(st.from_regex(r"\A[+~]{0,2}[A-Za-z_][\w./@-]{0,5}=[\w./@,\[\]+-]{0,6}\Z"), min_size=1, max_size=4))
def test_whatever_is_plain_is_a_text_of_yaml_s(words: list[str]) -> None:
    text = "".join(f"- {word}\n" for word in words)
    if PLAIN_WORDS.fullmatch(text.encode()):
        assert _words(text.encode()) == yaml.safe_load(text) == words
