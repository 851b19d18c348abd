"""The interface of every manager, whatever it trains with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from harness.config.unknown import nested, unknown_keys
from harness.errors import HarnessError
from harness.records.run_folder import RunFolder
from harness.records.summary import RunSummary


class BaseTrainingManager(ABC):
    """Trains what its configuration describes.

    Args:
        config: A composed configuration.

    Attributes:
        given: What a file in place of an experiment says (`harness.config.classic.experiment_from`).
        written: What that asks for, and where (`harness.config.written`).
        code_of: A run that is repeated, whose recorded code this process runs.
        run: The last run.
    """

    given: Mapping[str, Any] | None = None
    written: Mapping[str, str] = {}
    code_of: RunFolder | None = None
    run: RunFolder | None = None

    def __init__(self, config: DictConfig) -> None:
        self.config = config

    @abstractmethod
    def train(self, data_path: str | None = None, output_dir: str | None = None, **settings: Any) -> RunSummary:
        """Train, as a new run with a record of its own."""

    @abstractmethod
    def evaluate(self, checkpoint: str | None = None, **settings: Any) -> RunSummary:
        """Validate only."""

    @abstractmethod
    def save(self, path: str | Path) -> Path:
        """Write the trained model as a Hugging Face folder."""

    @abstractmethod
    def load(self, path: str | Path) -> None:
        """Use this model from now on."""

    def resume(self, run: RunFolder, stops: Any = None) -> RunSummary:
        """Go on with a run in its own folder.

        Raises:
            HarnessError: This manager cannot.
        """
        raise HarnessError(f"manager: {type(self).__qualname__} cannot go on with a run.", "Start a new one.")

    def get_config(self) -> DictConfig:
        """The configuration as it stands."""
        return self.config

    def update_config(self, changes: Mapping[str, Any]) -> None:
        """Change values by their dotted keys, as ``{"data.train_batch_size": 64}``.

        Raises:
            ConfigurationError: There is no such key.
        """
        change(self.config, changes)


class RLTrainingManager(BaseTrainingManager):
    """A manager whose model writes text."""

    @abstractmethod
    def generate(self, prompts: list[str]) -> list[str]:
        """The model's response to each prompt."""


def change(config: DictConfig, changes: Mapping[str, Any]) -> None:
    """Set values of a configuration by their dotted keys.

    Raises:
        ConfigurationError: There is no such key.
    """
    for key, value in changes.items():
        for problem in unknown_keys(config, nested(key, value)):
            raise problem
    with open_dict(config):
        for key, value in changes.items():
            OmegaConf.update(config, key, value)
