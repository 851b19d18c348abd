"""Makes what the recipes under ``prepare`` describe: models and data sets that `train` needs and does not find.

Each recipe function writes a complete folder. It gets an empty temporary one beside the final place, which is renamed
when it is done, under a lock: an interrupted recipe leaves nothing that is taken for finished, and two runs that need
the same folder make it once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from harness.components.instantiate import instantiate
from harness.data.convert import left_out
from harness.errors import ConfigurationError, HarnessError

if TYPE_CHECKING:
    from omegaconf import DictConfig


def missing_recipes(config: DictConfig) -> list[str]:
    """Names under ``prepare`` whose folder is not there yet."""
    return [name for name, node in (config.get("prepare") or {}).items() if node and not Path(node.path).is_dir()]


def prepare_all(config: DictConfig, announce: Callable[[str], None] = lambda stage: None) -> None:
    """Make every folder that is missing.

    Args:
        config: A resolved configuration.
        announce: Called with a line for the user before each recipe that has work to do, and for what it left out.

    Raises:
        ConfigurationError: A recipe cannot be built or fails.
    """
    for name in _in_order(missing_recipes(config), config):
        node = config.prepare[name]
        target = Path(node.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.is_dir():
                announce(f"making the {name} {target.name} (once)")
                _make(name, node, target, config)
                for line in left_out(target):
                    announce(line)


def _in_order(names: list[str], config: DictConfig) -> list[str]:
    """The same with a recipe after those whose folder it is given, such as data that a model's tokenizer measures."""
    paths = {name: str(config.prepare[name].path) for name in names}

    def needed(name: str) -> set[str]:
        given = {str(value) for key, value in config.prepare[name].items() if key != "path"}
        return {other for other, path in paths.items() if other != name and path in given}

    ordered: list[str] = []
    while waiting := [name for name in names if name not in ordered]:
        ready = [name for name in waiting if needed(name) <= {*ordered}]
        ordered += ready[:1] or waiting[:1]  # a circle is for the recipes to tell
    return ordered


def _make(name: str, node: DictConfig, target: Path, config: DictConfig) -> None:
    working = target.with_name(f"{target.name}.partial")
    shutil.rmtree(working, ignore_errors=True)
    working.mkdir()
    parameters = {key: value for key, value in node.items() if key != "path"}
    recipe = instantiate(parameters, f"prepare.{name}", config.get("trusted_modules") or ())
    try:
        recipe(working)
    except HarnessError:
        raise
    except Exception as error:
        message = f"prepare.{name}: {node._target_} failed with {type(error).__name__}: {error}"
        raise ConfigurationError(message, "Mend its parameters, or give a folder of your own instead.") from error
    working.rename(target)
