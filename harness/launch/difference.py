"""What differs between two experiments: only what decides the result."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import deciding
from harness.records.run_folder import RunFolder


def show_difference(first: str, second: str) -> str:
    """A line for each key that decides the result and differs, and the seeds.

    Args:
        first: A run's folder, or overrides in one text, as ``"experiment=quickstart algorithm=ppo"``.
        second: The other.

    Raises:
        ConfigurationError: One of them does not compose.
    """
    one, other = _configuration(first), _configuration(second)
    rows = list(differing(deciding(one), deciding(other)))
    if one.get("seed") != other.get("seed"):
        rows.append(("seed", one.get("seed"), other.get("seed")))
    if not rows:
        return "nothing that decides the result differs\n"
    width = max(len(key) for key, _, _ in rows)
    return "".join(f"{key:<{width}}  {_shown(before)} → {_shown(after)}\n" for key, before, after in rows)


def differing(first: Any, second: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The dotted keys at which two trees differ, with both values; a key that is not there counts as None."""
    if isinstance(first, dict) and isinstance(second, dict):
        for name in sorted(first.keys() | second.keys()):
            yield from differing(first.get(name), second.get(name), f"{key}.{name}".lstrip("."))
    elif first != second:
        yield key, first, second


def _configuration(text: str) -> DictConfig:
    if Path(text).is_dir():
        return OmegaConf.load(RunFolder.open(text).config)
    return resolve(compose_config(shlex.split(text)))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("_target_") or "a section")
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
