"""OmegaConf parses an interpolation's text anew whenever it is read, which is most of what resolving takes."""

from __future__ import annotations

from functools import lru_cache

from omegaconf import base, grammar_parser

KEPT = 8192  # texts; a configuration has some 150


def remember_parsed() -> None:
    """Keep the trees of texts that have been parsed; a tree is read and never changed.

    A patch of OmegaConf 2.3: composing and checking a quick start resolves the same texts a dozen times.
    """
    if base.parse is grammar_parser.parse:
        base.parse = lru_cache(KEPT)(grammar_parser.parse)
