"""Values as words of a command, in Hydra's grammar, which gives many characters a meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def quoted(text: str) -> str:
    """A text as a value. Within quotes a backslash means itself, but for those before a quote, which are doubled."""
    if re.fullmatch(r"[\w/.-]+", text, re.ASCII) and re.search(r"[A-Za-z0-9]", text):
        return text
    return "'" + re.sub(r"(\\*)('|\Z)", lambda found: 2 * found[1] + (found[2] and "\\'"), text) + "'"


def as_value(value: Any) -> str:
    """A value of a YAML file: ``null``, ``1e-06``, ``[a,b]``, ``{k:1}``; a text that is a number becomes one."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{as_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(as_value(item) for item in value) + "]"
    if isinstance(value, str):
        return value if _is_number(value) else quoted(value) or "''"
    return str(value)


def short_keys(keys: Sequence[str]) -> list[str]:
    """The ends of dotted keys that tell them apart: ``lr``, or ``actor.optim.lr`` beside ``critic.optim.lr``."""
    for parts in range(1, max((key.count(".") for key in keys), default=0) + 2):
        short = [".".join(key.split(".")[-parts:]) for key in keys]
        if len(set(short)) == len(short):
            return short
    return list(keys)


def _is_number(text: str) -> bool:
    """Also those that YAML 1.1 takes for texts, such as ``1e-6``."""
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip() and "_" not in text
