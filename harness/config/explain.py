"""Hydra's and OmegaConf's errors in the user's terms: the key, the value, what is allowed, what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from hydra.errors import OverrideParseException

from harness.config.catalogue import catalogue
from harness.config.suggest import did_you_mean
from harness.errors import HarnessError

Siblings = Callable[[str], Sequence[str]]


def explain(error: Exception, siblings: Siblings) -> tuple[str, str]:
    """Message and remedy for an error of composition.

    Args:
        error: What Hydra or OmegaConf raised.
        siblings: Gives the names that exist beside a dotted key.
    """
    own = _own_error(error)
    if own is not None:
        return own.message, own.remedy
    if isinstance(error, OverrideParseException):
        return _not_an_override(error.override)
    text = _whole_text(error)
    for pattern, describe in _PATTERNS:
        if match := re.search(pattern, text, re.DOTALL):
            return describe(match, siblings)
    return text.strip(), ""


def _own_error(error: BaseException | None) -> HarnessError | None:
    while error is not None:
        if isinstance(error, HarnessError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _whole_text(error: BaseException) -> str:
    cause = str(error.__cause__ or "")
    return str(error) if cause in str(error) else f"{error}\n{cause}"


def _not_an_override(override: str) -> tuple[str, str]:
    remedy = "Write key=value; quote values with spaces, commas or brackets, as in 'name=\"a, b\"'."
    return f"{override}: not an override.", remedy


def _unknown_key(match: re.Match[str], siblings: Siblings) -> tuple[str, str]:
    key = match["key"]
    parent, _, leaf = key.rpartition(".")
    options = [*siblings(key), *([] if parent else catalogue())]
    message = f"{key}: there is no such key{f' under {parent}' if parent else ' or group'}."
    return message, f"{did_you_mean(leaf, options)} To add a new key on purpose write +{key}=VALUE."


def _unknown_option(match: re.Match[str], siblings: Siblings) -> tuple[str, str]:
    group, option = match["path"].rsplit("/", 1)
    options = list(catalogue().get(group, {}))
    return f"{group}={option}: {group} has no option {option!r}.", did_you_mean(option, options)


def _missing_value(match: re.Match[str], siblings: Siblings) -> tuple[str, str]:
    key = match["key"]
    return f"{key}: a value is needed and none is given.", f"Add {key}=VALUE."


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], Siblings], tuple[str, str]]], ...] = (
    (r"Could not (?:find|load) '(?P<path>[^']+/[^']+)'", _unknown_option),
    (r"Key '[^']+' (?:is not in struct|not in '[^']+')\s+full_key: (?P<key>\S+)", _unknown_key),
    (r"Could not override '(?P<key>[^']+)'", _unknown_key),
    (r"Missing mandatory value: (?P<key>\S+)", _missing_value),
)
