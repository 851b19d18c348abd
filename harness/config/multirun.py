"""The composition that a sweeper of Hydra's starts from: the words of a sweep, and Hydra's own node with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.types import RunMode

from harness.config.compose import ROOT, hydra_loader
from harness.config.hydra_words import refuse_hydras

if TYPE_CHECKING:
    from omegaconf import DictConfig


def compose_multirun(words: Sequence[str]) -> tuple[DictConfig, Any]:
    """Compose what all points share: groups and values that are swept over have no part in it.

    Args:
        words: Of the command.

    Returns:
        The configuration with its node ``hydra``, and Hydra's loader, which a sweeper composes points with.

    Raises:
        ConfigurationError: A word is wrong.
    """
    refuse_hydras(words, sweeps=True)
    with hydra_loader(words) as loader:
        return loader.load_configuration(config_name=ROOT, overrides=list(words), run_mode=RunMode.MULTIRUN), loader
