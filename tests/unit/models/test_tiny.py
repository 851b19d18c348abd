from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.data.reasoning_gym import reasoning_gym_rows
from harness.errors import HarnessError
from harness.models.tiny import byte_tokenizer, make_tiny_model

TASK = {"tasks": {"spell_backward": {"min_word_len": 3, "max_word_len": 3}}, "prompt": "{word}"}
SIZE = {"validation_size": 64, "rows": 1024}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny")
    make_tiny_model(path, seed=0, accuracy=0.45, **SIZE, **TASK)
    return path


def share_of_right_answers(folder: Path, **sampling: Any) -> float:
    """Of the held-out rows, which the warm start has not seen."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder)
    rows = reasoning_gym_rows(TASK["tasks"], {"validation": 64}, prompt=TASK["prompt"])["validation"]
    texts = [tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, tokenize=False) for row in rows]
    batch = tokenizer(texts, padding=True, return_tensors="pt", add_special_tokens=False)
    torch.manual_seed(0)

    output = model.generate(**batch, max_new_tokens=6, num_return_sequences=sampling.pop("n", 1), **sampling)

    answers = tokenizer.batch_decode(output[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    truths = [row["reward_model"]["ground_truth"] for row in rows]
    each = len(answers) // len(truths)
    return sum(answer == truths[i // each] for i, answer in enumerate(answers)) / len(answers)


def test_likely_answers_are_as_often_right_as_asked_for_and_some_samples_are(folder: Path) -> None:
    assert 0.2 < share_of_right_answers(folder, do_sample=False) < 0.6
    # of a group of eight, about one in three has a right answer then; processors round differently, and so models differ
    assert 0.04 < share_of_right_answers(folder, do_sample=True, top_k=0, n=4) < 0.5


def test_model_fits_vllm_and_ends_with_its_own_token(folder: Path) -> None:
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)

    assert model.config.hidden_size // model.config.num_attention_heads == 32
    assert model.config.vocab_size == len(tokenizer)
    for config in (model.config, model.generation_config):
        assert (config.pad_token_id, config.eos_token_id) == (tokenizer.pad_token_id, tokenizer.eos_token_id)
    assert tokenizer.pad_token_id != tokenizer.eos_token_id


def test_seed_decides_the_weights_and_threads_and_the_global_seed_do_not(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    threads, state = torch.get_num_threads(), torch.random.get_rng_state()
    torch.set_num_threads(2)
    try:
        for seed in (0, 1):
            (tmp_path / str(seed)).mkdir()
            make_tiny_model(tmp_path / str(seed), seed=seed, accuracy=0.45, **SIZE, **TASK)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)

    assert torch.equal(torch.random.get_rng_state(), state)
    first, again, other = (path / "model.safetensors" for path in (folder, tmp_path / "0", tmp_path / "1"))
    assert first.read_bytes() == again.read_bytes() != other.read_bytes()


def test_task_too_hard_is_reported(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"did not learn its task in prepare.model.max_steps=10 steps"):
        make_tiny_model(tmp_path, seed=0, max_steps=10, **SIZE, **TASK)


def test_chat_template_and_bytes_come_back() -> None:
    tokenizer = byte_tokenizer()
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "47 é"},
        {"role": "assistant", "content": "7"},
        {"role": "user", "content": "x"},
    ]

    text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)

    assert text == "<|system|>s<|user|>47 é<|assistant|>7<|end|><|user|>x<|assistant|>"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode("<|user|>47 é")) == 1 + 3 + 2
    assert tokenizer.decode(tokenizer.encode("<|user|>47<|end|>"), skip_special_tokens=True) == "47"
