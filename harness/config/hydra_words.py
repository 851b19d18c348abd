"""Hydra's own keys among the words of a command: a sweep may choose its sweeper, the rest is decided elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.config_store import ConfigStore

from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError

SWEEPERS = "hydra/sweeper"
OF_SWEEPERS = (SWEEPERS, "hydra.sweeper")
PACKAGES = {"optuna": "'rl-harness[optuna]'", "ax": "hydra-ax-sweeper", "nevergrad": "hydra-nevergrad-sweeper"}


def is_hydras(word: str) -> bool:
    """Whether it sets a key of Hydra's own; where YAML lies (``hydra.searchpath``) any command may say."""
    key = _key(word)
    return key.startswith(("hydra.", "hydra/")) and key != "hydra.searchpath"


def refuse_hydras(words: Sequence[str], sweeps: bool = False) -> None:
    """Refuse words that would be without effect.

    Args:
        words: Overrides.
        sweeps: Whether it is about a sweep, which may choose its sweeper.

    Raises:
        ConfigurationError: There is one.
    """
    for word in [word for word in words if is_hydras(word)]:
        if not _key(word).startswith(OF_SWEEPERS):
            raise ConfigurationError(
                f"{word}: this key of Hydra's would decide nothing here.",
                "Folders follow output_root and name, where it runs follows cluster=…; "
                "of Hydra's keys a sweep takes hydra/sweeper and hydra.sweeper.",
            )
        if not sweeps:
            raise ConfigurationError(f"{word}: a sweeper is for sweeps.", "Write harness train -m …")


def install_sweeper(name: str) -> str:
    """What to do about a sweeper that is not there."""
    stored = ConfigStore.instance().list(SWEEPERS)
    installed = sorted(entry.removesuffix(".yaml") for entry in stored if entry.endswith(".yaml"))
    if name in PACKAGES:
        return f"Install it: pip install {PACKAGES[name]}. Installed: {', '.join(installed)}."
    return did_you_mean(name, installed) + f" Hydra has plugins for {', '.join(sorted(PACKAGES))}."


def _key(word: str) -> str:
    return word.lstrip("+~").partition("=")[0]
