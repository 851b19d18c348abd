"""What recipes under ``prepare`` start from: folders that have to be there before a training is sent anywhere."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from harness.check.problem import Problem
from harness.check.twins import named_by
from harness.prepare import missing_recipes

FOLDER = "Folder"  # `harness.data.Folder`, the type of such a parameter


def recipe_problems(config: DictConfig) -> Iterator[Problem]:
    """Folders that a recipe with work to do will not find.

    They are warnings: where a job runs, the folder may be there.
    """
    for name in missing_recipes(config):
        node = config.prepare[name]
        recipe = named_by(node, config.get("trusted_modules") or ())
        for parameter in inspect.signature(recipe).parameters.values() if callable(recipe) else ():
            if not str(parameter.annotation).startswith(FOLDER) or OmegaConf.is_missing(node, parameter.name):
                continue
            folder = node.get(parameter.name)
            if folder and not Path(str(folder)).expanduser().is_dir():
                key = f"prepare.{name}.{parameter.name}"
                message = f"{key}={folder}: there is no such folder here, and the recipe reads it."
                remedy = "Unpack the data there, or name the folder that holds it."
                yield Problem("file", key, message, remedy, str(folder), warning=True)
