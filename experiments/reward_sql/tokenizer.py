"""A tokenizer for SQL and questions about the generator's databases, small enough for a model of a few million weights.

Names of tables, columns and categories are a token each wherever they stand: a model can copy them from the prompt.
What stands between them, such as `` AS (SELECT * FROM ``, becomes tokens by byte-pair encoding across spaces. Numbers
are digits but for years. Any text can be encoded and comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from experiments.reward_sql.data.schemas import HELD_OUT, SEEN, names, tables_of
from harness.models.tiny import ASSISTANT, CHAT_TEMPLATE, EOS, PAD, SPECIAL, SYSTEM, USER

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PIECES = r"(?:19|20)\d\d|\d|[A-Z][a-z]+"  # years, digits and capitalised words; what is between them stays together
STEPS = tuple(f"c{place}" for place in range(1, 6))  # names of a chain's steps


def sql_tokenizer(texts: Iterable[str], glue: int) -> PreTrainedTokenizerFast:
    """A tokenizer made for some texts.

    Args:
        texts: Prompts and answers.
        glue: Tokens for what is no name, bytes included.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    words = [AddedToken(word, single_word=True, normalized=False) for word in (*symbols(), *STEPS)]
    tokenizer.add_tokens(words)
    trainer = trainers.BpeTrainer(
        vocab_size=glue, special_tokens=list(SPECIAL), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(_between_names(texts), trainer)
    tokenizer.add_tokens(words)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=USER,
        eos_token=EOS,
        additional_special_tokens=[SYSTEM, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def symbols() -> list[str]:
    """Words that are a token each: names of tables and columns, then categories."""
    categories = [
        value
        for db_id in (*SEEN, *HELD_OUT)
        for table in tables_of(db_id).values()
        for column in table.of_kind("cat")
        for value in column.detail
        if len(value) > 1
    ]
    return list(dict.fromkeys([*names(), *categories]))


def _between_names(texts: Iterable[str]) -> Iterable[str]:
    """What stands between symbols, which byte-pair encoding is not to merge across."""
    import re

    words = sorted((*symbols(), *STEPS), key=len, reverse=True)
    split = re.compile(rf"\b(?:{'|'.join(words)})\b")
    for text in texts:
        yield from (part for part in split.split(text) if part)
