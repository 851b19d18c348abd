"""Where Hydra looks for options: the user's folders, the shipped ones, and verl's trainer configurations.

verl's own YAML folder never goes on Hydra's search path (its group names would be shadowed by ours and the other way
round without a word); its flattened trainer files are a source of their own, as the group ``model_engine``. A source
and not Hydra's ConfigStore, which Hydra copies whole in every composition: with verl's five trees in it that took more
than half of the time.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from hydra.core.object_type import ObjectType
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from harness.config.tree import verl_trainer_configs
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from hydra.core.config_search_path import ConfigSearchPath

VERL_GROUP = "model_engine"


class HarnessSearchPath(SearchPathPlugin):
    """Puts the user's, the shipped folders and verl's configurations on Hydra's search path, the user's first."""

    folders: Sequence[Path] = ()

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append them."""
        for folder in self.folders:
            search_path.append("harness", f"file://{folder}")
        search_path.append("verl", f"{VerlSource.scheme()}://")


class VerlSource(ConfigSource):
    """verl's trainer configurations, one an engine."""

    @staticmethod
    def scheme() -> str:
        """The scheme of its address."""
        return "verl"

    def load_config(self, config_path: str) -> ConfigResult:
        """An engine's tree, merged at the root."""
        if not self.is_config(config_path):
            raise ConfigLoadError(f"Config not found: {config_path}")
        config = pickle.loads(_pickled(_engine(config_path)))
        return ConfigResult(config=config, path="verl://", provider="verl", header={"package": "_global_"})

    def available(self) -> bool:
        """Whether verl is installed."""
        return bool(verl_trainer_configs())

    def is_group(self, config_path: str) -> bool:
        """Whether it is the one group."""
        return config_path.strip("/") in ("", VERL_GROUP)

    def is_config(self, config_path: str) -> bool:
        """Whether it is an engine's."""
        return config_path.startswith(f"{VERL_GROUP}/") and _engine(config_path) in verl_trainer_configs()

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        """The engines."""
        if config_path.strip("/") != VERL_GROUP or results_filter == ObjectType.GROUP:
            return []
        return sorted(verl_trainer_configs())


@cache
def _pickled(engine: str) -> bytes:
    """verl's tree as a node that Hydra may change: made again from these bytes in a tenth of the time."""
    return pickle.dumps(OmegaConf.create(load_yaml(verl_trainer_configs()[engine])))


def _engine(config_path: str) -> str:
    return config_path.removeprefix(f"{VERL_GROUP}/").removesuffix(".yaml")


def prepare_search_path(folders: Sequence[Path]) -> None:
    """Make Hydra look in the folders, beside the first one, which it is told of, and in verl.

    Raises:
        ConfigurationError: verl is not installed.
    """
    if not verl_trainer_configs():
        raise ConfigurationError(
            "verl is not installed in this environment.", "Run `make setup`, or `pip install verl==0.9.1`."
        )
    HarnessSearchPath.folders = folders[1:]
    plugins = Plugins.instance()
    for plugin, kind in ((HarnessSearchPath, SearchPathPlugin), (VerlSource, ConfigSource)):
        if plugin not in plugins.discover(kind):
            plugins.register(plugin)


@cache
def load_yaml(path: Path) -> dict:
    """A file's tree, read once."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    # verl writes 1e-06 style numbers with a point, so YAML 1.1's float rule reads them as numbers
    return yaml.load(path.read_text(), Loader=loader)
