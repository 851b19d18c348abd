"""Hydra's and OmegaConf's errors in the user's terms: the key, the value, what is allowed, what to do."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from hydra.errors import OverrideParseException

from harness.components.kinds import KINDS
from harness.config.catalogue import GROUPS
from harness.config.hydra_words import SWEEPERS, install_sweeper
from harness.config.names import Names
from harness.config.suggest import did_you_mean
from harness.errors import HarnessError

if TYPE_CHECKING:
    import yaml


NO_SUCH_KEY = "there is no such key"
NO_NAME = (
    "A defaults list of a YAML file has an entry after one with `override`, or a group gets what is no option's name.",
    "Put entries with `override` after the others, and choose options by name: GROUP=NAME, or GROUP=[NAME,NAME].",
)


def explain(error: Exception, names: Names) -> tuple[str, str]:
    """Message and remedy for an error of composition.

    Args:
        error: What Hydra or OmegaConf raised.
        names: What exists.
    """
    own = _own_error(error)
    if own is not None:
        return own.message, own.remedy
    if isinstance(error, OverrideParseException):
        return _not_an_override(error.override)
    text = _whole_text(error)
    if isinstance(error, RecursionError):
        key = re.search(r"full_key: (\S+)", text)
        return f"{key[1] if key else 'a key'}: its value refers to itself, by ${{…}}.", "Give it a value."
    for pattern, describe in _PATTERNS:
        if match := re.search(pattern, text, re.DOTALL):
            return describe(match, names)
    return text.strip(), ""


def raised_by_a_defaults_list(error: BaseException) -> bool:
    """Whether Hydra met something in a defaults list, or in a choice of a group, that it does not foresee."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.endswith(("defaults_list.py", "default_element.py"))


def explain_yaml(error: yaml.YAMLError) -> tuple[str, str]:
    """Message and remedy for a file that is no YAML: where, and what the parser could not take."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    where = f"{mark.name}:{mark.line + 1}" if mark else "a YAML file"
    return (
        f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}.",
        "Mind the indentation (spaces alone).",
    )


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


def _unknown_key(match: re.Match[str], names: Names) -> tuple[str, str]:
    key = match["key"]
    if "@" in key:
        group, _, package = key.partition(".")[0].partition("@")
        message = f"{group}: a file of {package} chooses an option of it, but stands under the key {package}."
        return message, "Begin that file with the line: # @package _global_"
    parent, _, leaf = key.rpartition(".")
    message = f"{key}: {NO_SUCH_KEY}{f' under {parent}' if parent else ' or group'}."
    whole = names.ending_in(leaf)
    options = [*names.beside(key), *([] if parent else GROUPS)]
    suggestion = f"Did you mean {' or '.join(whole)}?" if whole else did_you_mean(leaf, options)
    return message, f"{suggestion} To add a new key on purpose write +{key}=VALUE.".lstrip()


def _unknown_option(match: re.Match[str], names: Names) -> tuple[str, str]:
    group, option = match["path"].rsplit("/", 1)
    message = f"{group}={option}: {group} has no option {option!r}."
    if group == SWEEPERS:
        return message, install_sweeper(option)
    suggestion = did_you_mean(option, names.options(group))
    if group not in {kind.group for kind in KINDS.values()}:
        return message, suggestion
    if place := names.unseen(group, option):
        return message, f"What {place} registers is not seen there: move it to the module's top level. {suggestion}"
    own = "One of your own: plugins=[MODULE] names the module that registers it."
    return message, suggestion if suggestion.startswith("Did") else f"{suggestion} {own}"


def _wrong_type(match: re.Match[str], names: Names) -> tuple[str, str]:
    key, value = match["key"], match["value"]
    given = next((k for text in names.overrides for k, _, v in [text.lstrip("+").partition("=")] if v == value), key)
    return f"{given}={value}: {match['type']} is needed{f', by {key}' if key != given else ''}.", ""


def _broken_reference(match: re.Match[str], names: Names) -> tuple[str, str]:
    key, target = match["key"], match["target"]
    message = f"{key}: its value is taken from {target}, which this composition does not have."
    return message, f"Choose options that go together (harness list), or set {key}=VALUE."


def _missing_value(match: re.Match[str], names: Names) -> tuple[str, str]:
    key = match["key"]
    return f"{key}: a value is needed and none is given.", f"Add {key}=VALUE."


def _no_option(match: re.Match[str], names: Names) -> tuple[str, str]:
    group = match["group"]
    return f"{group}=???: an option is needed.", f"Choose one of {', '.join(sorted(names.options(group)))}."


_PATTERNS: tuple[tuple[str, Callable[[re.Match[str], Names], tuple[str, str]]], ...] = (
    (r"Could not (?:find|load) '(?P<path>[^']+/[^']+)'", _unknown_option),
    (r"Key '[^']+' (?:is not in struct|not in '[^']+')\s+full_key: (?P<key>\S+)", _unknown_key),
    (r"Could not override '(?P<key>[^']+)'", _unknown_key),
    (r"Interpolation key '(?P<target>[^']+)' not found\s+full_key: (?P<key>\S+)", _broken_reference),
    (r"You must specify '(?P<group>[^']+)'", _no_option),
    (r"Missing mandatory value: (?P<key>\S+)", _missing_value),
)
