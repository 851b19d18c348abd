"""A shop's database with a few questions, and a model that has learned the chains by heart: SQL within a minute."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from experiments.reward_sql.data.rows import sql_row
from harness.models.tiny import CHAT_TEMPLATE, EOS, PAD, SPECIAL

TABLE = "CREATE TABLE t (a TEXT, b INTEGER); INSERT INTO t VALUES ('x', 1), ('y', 2), ('z', 2);"
CHAIN = "WITH c AS ( SELECT a FROM t WHERE b = {} ) , d AS ( SELECT * FROM c ) SELECT a FROM d ;"
WORDS = ("WITH", "AS", "SELECT", "FROM", "WHERE", "a", "b", "c", "d", "t", "1", "2", "(", ")", ",", "=", "*", ";", "?")
LEARNED = 0.1  # the loss at which learning ends: the model still errs, so that responses differ


def make_shop(folder: Path, prompts: int = 16) -> Path:
    """Write ``databases/``, ``train.parquet``, ``validation.parquet`` and ``model/``."""
    (folder / "databases" / "shop").mkdir(parents=True)
    connection = sqlite3.connect(folder / "databases" / "shop" / "shop.sqlite")
    connection.executescript(TABLE)
    connection.close()
    rows = [_row(number) for number in range(prompts)]
    for split, some in (("train", rows), ("validation", rows[:4])):
        pq.write_table(pa.Table.from_pylist(some), folder / f"{split}.parquet")
    _make_model(folder / "model")
    return folder


def _row(number: int) -> dict[str, Any]:
    value = 1 + number % 2
    return sql_row(
        identity=f"shop-{number}",
        source="shop",
        db_id="shop",
        question=f"b={value}",
        sql=f"SELECT a FROM t WHERE b = {value}",
        messages=[{"role": "user", "content": f"b = {value} ?"}],
        index=number,
        split="train",
        difficulty="easy" if value == 1 else "hard",
    )


def _tokenizer() -> PreTrainedTokenizerFast:
    """A token a word, which are joined by spaces again."""
    words = Tokenizer(models.WordLevel({word: place for place, word in enumerate((*SPECIAL, *WORDS))}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    special = {"unk_token": "?", "pad_token": PAD, "eos_token": EOS, "additional_special_tokens": list(SPECIAL[2:])}
    return PreTrainedTokenizerFast(tokenizer_object=words, chat_template=CHAT_TEMPLATE, **special)


def _make_model(path: Path) -> None:
    torch.manual_seed(0)
    tokenizer = _tokenizer()
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **shape, **ends))
    chats = [
        [{"role": "user", "content": f"b = {value} ?"}, {"role": "assistant", "content": CHAIN.format(value)}]
        for value in (1, 2)
    ]
    ids = torch.tensor([tokenizer.apply_chat_template(chat, return_dict=False) for chat in chats])
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loss = torch.tensor(torch.inf)
    while loss > LEARNED:
        loss = model(ids, labels=ids).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
