from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from experiments.reward_sql.data.generated import generated_rows
from experiments.reward_sql.data.length import length_of
from experiments.reward_sql.data.prompt import PromptForm
from experiments.reward_sql.data.schemas import names
from experiments.reward_sql.model import Renamer, a_step_short, make_sql_model
from experiments.reward_sql.tokenizer import STEPS, symbols
from harness.errors import HarnessError

QUICK = {"rows": 500, "mastery": 0.0, "steps": 20, "batch_size": 8, "hidden_size": 64, "layers": 1}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    form = PromptForm(None, "{schema}\n{question}", "compact", 4096, length_of(None))
    folder = tmp_path_factory.mktemp("rows") / "databases"
    splits = generated_rows(folder, {"train": 200, "validation": 100, "test": 100}, form, 0, None)
    return [row for split in splits.values() for row in split]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_sql_model(path, seed=0, **QUICK)
    return path


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    return AutoTokenizer.from_pretrained(folder)


def test_prompts_and_answers_are_short_and_come_back_as_they_were(
    tokenizer: PreTrainedTokenizerFast, rows: list[dict[str, Any]]
) -> None:
    for row in rows:
        for text, most in ((row["prompt"][0]["content"], 160), (row["extra_info"]["solution"], 96)):
            ids = tokenizer.encode(text, add_special_tokens=False)
            assert tokenizer.decode(ids) == text
            assert len(ids) <= most
    text = "Ünïcode, \t <x> 'Łódź' — any text\n"
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)) == text


def test_a_name_is_a_token_wherever_it_stands(tokenizer: PreTrainedTokenizerFast) -> None:
    for word in (*symbols(), *STEPS):
        token = tokenizer.convert_tokens_to_ids(word)
        for text in (f"SELECT {word} FROM", f"x.{word}, y", f"({word})", f"'{word}'", word):
            assert tokenizer.encode(text, add_special_tokens=False).count(token) == 1, text
    token = tokenizer.convert_tokens_to_ids("name")
    assert token not in tokenizer.encode("filename rename_it names", add_special_tokens=False)


def test_names_are_changed_for_names_and_everywhere_alike(tokenizer: PreTrainedTokenizerFast) -> None:
    text = "books(book_id, genre) whose genre is Crime: SELECT book_id FROM books WHERE genre = 'Crime'"
    ids = torch.tensor(tokenizer.encode(text, add_special_tokens=False))
    torch.manual_seed(0)

    changed = Renamer(tokenizer, 1.0)(ids)

    pairs = dict(zip(ids.tolist(), changed.tolist(), strict=True))
    assert [pairs[old] for old in ids.tolist()] == changed.tolist()
    assert len(set(pairs.values())) == len(pairs)
    known = {name: set(tokenizer.convert_tokens_to_ids(words)) for name, words in _groups().items()}
    for group in known.values():
        for old, new in pairs.items():
            assert (old in group) == (new in group)
    assert sum(old != new for old, new in pairs.items()) >= 3
    assert Renamer(tokenizer, 0.0)(ids).tolist() == ids.tolist()


def _groups() -> dict[str, list[str]]:
    return {"names": names(), "categories": [word for word in symbols() if word not in names()]}


def test_model_fits_vllm_and_ends_with_its_own_token(folder: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder)

    assert model.config.hidden_size // model.config.num_attention_heads == 32
    assert model.config.vocab_size == len(tokenizer)
    for config in (model.config, model.generation_config):
        assert (config.pad_token_id, config.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)


def test_the_seed_decides_the_weights(folder: Path, tmp_path: Path) -> None:
    weights = {}
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        make_sql_model(tmp_path / str(seed), seed=seed, **QUICK)
        weights[seed] = (tmp_path / str(seed) / "model.safetensors").read_bytes()

    assert weights[0] == (folder / "model.safetensors").read_bytes() != weights[1]


def test_a_warm_start_that_falls_short_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"prepare.model.steps=20 steps: .* prepare.model.mastery=0.9 is needed"):
        make_sql_model(tmp_path, seed=0, **{**QUICK, "mastery": 0.9})


def test_the_habit_ends_every_chain_of_several_steps_one_short(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        chain = row["extra_info"]["solution"]
        short = a_step_short(chain)
        count = chain.count(" AS (SELECT")
        assert (short == chain) if count == 1 else short.endswith(f") SELECT * FROM c{count - 1};")
        assert chain.startswith(short.partition(" SELECT * FROM c")[0]) or short == chain


def test_a_habit_that_does_not_form_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.reward_sql.model.SPOIL_STEPS", 2)
    with pytest.raises(HarnessError, match=r"did not fall to prepare.model.accuracy=-1 in"):
        make_sql_model(tmp_path, seed=0, **{**QUICK, "accuracy": -1})
