"""Models and data sets made by a recipe: a node under ``prepare`` names the function that makes one, and where.

The folder is named by the hash of what decides its content: the node's parameters and the source of the module that
makes it. So an edited recipe makes a new folder, and an unchanged one is found again.
"""

from __future__ import annotations

import hashlib
import json
from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from harness.config.cache_folder import cache_root
from harness.errors import ConfigurationError


def recipe_hash(node: DictConfig) -> str:
    """Twelve hexadecimal digits that change when the recipe's parameters or its code change."""
    parameters = {key: value for key, value in OmegaConf.to_container(node, resolve=False).items() if key != "path"}
    resolved = {
        key: OmegaConf.to_container(node[key], resolve=True) if OmegaConf.is_config(node[key]) else node[key]
        for key in parameters
    }
    digest = hashlib.sha256(json.dumps(resolved, sort_keys=True).encode())
    digest.update(_source_of(str(node["_target_"])))
    return digest.hexdigest()[:12]


def register_recipe_resolver() -> None:
    """Make ``${made:NAME}`` the folder of the recipe ``prepare.NAME``."""
    OmegaConf.register_new_resolver("made", _made, replace=True)


def _made(name: str, *, _root_: DictConfig) -> str:
    node = OmegaConf.select(_root_, f"prepare.{name}")
    if node is None or "_target_" not in node:
        raise ConfigurationError(f"prepare.{name} has no _target_, so ${{made:{name}}} names nothing.")
    label = str(node["_target_"]).rsplit(".", 1)[-1].removeprefix("make_")
    return str(cache_root() / name / f"{label}-{recipe_hash(node)}")


def _source_of(target: str) -> bytes:
    """Source of the module a dotted name lives in, found without running it; empty where there is none."""
    parts = target.split(".")[:-1]
    try:
        spec = find_spec(".".join(parts)) if parts else None
    except ImportError:
        return b""
    return Path(spec.origin).read_bytes() if spec and spec.origin and spec.origin.endswith(".py") else b""
