"""How long a prompt is: in tokens of a model's own tokenizer, or estimated from its characters."""

from __future__ import annotations

import math
from collections.abc import Callable

from harness.errors import ConfigurationError

# On the safe side: names in many short parts have fewer than two (SmolLM2: 1.8), ordinary schemas about three.
CHARACTERS_PER_TOKEN = 1.5


def length_of(
    tokenizer: str | None, key: str = "prepare.data.tokenizer", characters: float = CHARACTERS_PER_TOKEN
) -> Callable[[list[dict[str, str]]], int]:
    """A function that measures messages in tokens.

    Args:
        tokenizer: Model folder or hub name; None estimates, on the safe side for models of today.
        key: What named it, for the message.
        characters: Characters a token of the estimate.

    Raises:
        ConfigurationError: The tokenizer cannot be loaded.
    """
    if tokenizer is None:
        return lambda messages: math.ceil(sum(len(m["content"]) for m in messages) / characters)
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(tokenizer)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{key}={tokenizer} cannot be loaded: {error}",
            "Give a model folder or hub name, or null to estimate lengths.",
        ) from error

    def tokens(messages: list[dict[str, str]]) -> int:
        text = loaded.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return len(loaded.encode(text, add_special_tokens=False))

    return tokens
