"""A plain verl-shaped YAML file as an experiment, its old keys translated.

Keys that verl's V1 trainer would silently ignore go where it looks for them; what has no meaning any more is refused by
name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from harness.config.suggest import did_you_mean
from harness.config.words import quoted
from harness.errors import ConfigurationError

# old key → where it lives now
MOVED = {
    "reward_model.reward_manager": "reward.reward_manager.name",
    "reward_model.num_workers": "reward.num_workers",
    "reward_model.enable": "reward.reward_model.enable",
    "reward_model.enable_resource_pool": "reward.reward_model.enable_resource_pool",
    "reward_model.n_gpus_per_node": "reward.reward_model.n_gpus_per_node",
    "reward_model.nnodes": "reward.reward_model.nnodes",
    "reward_model.model.path": "reward.reward_model.model_path",
    "reward_model.reward_kwargs": "reward.reward_kwargs",
    "reward_model.rollout": "reward.reward_model.rollout",
    "custom_reward_function.path": "reward.custom_reward_function.path",
    "custom_reward_function.name": "reward.custom_reward_function.name",
    "custom_reward_function.reward_kwargs": "reward.custom_reward_function.reward_kwargs",
    "sandbox_fusion.url": "reward.sandbox_fusion.url",
    "sandbox_fusion.max_concurrent": "reward.sandbox_fusion.max_concurrent",
    "sandbox_fusion.memory_limit_mb": "reward.sandbox_fusion.memory_limit_mb",
    "verifier.timeout": "scoring.timeout_seconds",
    "verifier.timeout_seconds": "scoring.timeout_seconds",
    "verifier.memory_gb": "scoring.memory_gb",
    "verifier.processes": "scoring.processes",
    "verifier.num_workers": "reward.num_workers",
    "verifier.on_error": "scoring.on_error",
    "verifier.score": "scoring.score",
}
OLD_SECTIONS = ("reward_model", "custom_reward_function", "sandbox_fusion", "verifier")


def experiment_from(config: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    """The node of an experiment that says what the file (or mapping) says.

    Raises:
        ConfigurationError: The file cannot be read, or holds a key without a meaning.
    """
    return translate(read_file(Path(config)) if isinstance(config, (str, Path)) else dict(config))


def read_file(path: Path) -> dict[str, Any]:
    """The sections of a YAML file.

    Raises:
        ConfigurationError: It cannot be read, or holds none.
    """
    try:
        tree = OmegaConf.to_container(OmegaConf.load(path))  # which takes 1e-6 for a number, as verl's files mean it
    except FileNotFoundError as error:
        raise ConfigurationError(f"config: there is no file {path}.") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"config: {path} cannot be read as YAML: {error}") from error
    except OmegaConfBaseException as error:  # an interpolation that is none
        key, said = getattr(error, "full_key", ""), str(error).partition("\n")[0]
        raise ConfigurationError(f"config: {path}: {key}: {said}.", "Quote a text that holds ${ as '\\${…'.") from error
    if not isinstance(tree, dict):
        raise ConfigurationError(f"config: {path} holds {type(tree).__name__}, not sections such as data and trainer.")
    return tree


def data_files(folder: Path) -> dict[str, str]:
    """The data keys for a folder with ``train.parquet`` and ``validation.parquet`` or ``test.parquet``.

    Raises:
        ConfigurationError: It has no such files.
    """
    train = folder / "train.parquet"
    found = [folder / name for name in ("validation.parquet", "test.parquet") if (folder / name).is_file()]
    if not train.is_file() or not found:
        raise ConfigurationError(
            f"data_path: {folder} must hold train.parquet and validation.parquet (or test.parquet)."
        )
    return {"data.train_files": str(train), "data.val_files": str(found[0])}


def classic_words(flags: Mapping[str, str | bool]) -> list[str]:
    """The flags of the classic command line as overrides."""
    keys = {
        "--algorithm": "algorithm",
        "--output_dir": "output_root",
        "--reward_manager": "reward_manager",
        "--epochs": "trainer.total_epochs",
        "--core_algos": "advantage_fn.module",
        "--core_function": "advantage_fn.function",
    }
    words = ["advantage_fn=custom"] if "--core_algos" in flags else []
    words += [f"{key}={quoted(str(flags[flag]))}" for flag, key in keys.items() if flag in flags]
    if "--data_path" in flags:
        words += [f"{key}={quoted(file)}" for key, file in data_files(Path(str(flags["--data_path"]))).items()]
    return words


def translate(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Old sections' keys moved, a clip ratio that verl would not look at put where it does, all others as they are."""
    result = {key: value for key, value in tree.items() if key not in OLD_SECTIONS}
    for section in OLD_SECTIONS:
        for key, value in _leaves(section, tree.get(section) or {}):
            if value is not None:
                _put(result, new_place(key), value)
    return _with_both_clips(result)


def _with_both_clips(tree: dict[str, Any]) -> dict[str, Any]:
    """``actor.clip_ratio`` alone does nothing in verl: the low and the high one, 0.2 unless set, win over it."""
    policy = tree.get("actor_rollout_ref")
    actor = policy.get("actor") if isinstance(policy, Mapping) else None
    if policy is None or not isinstance(actor, Mapping) or actor.get("clip_ratio") is None:
        return tree
    both = dict.fromkeys(("clip_ratio_low", "clip_ratio_high"), actor["clip_ratio"])
    return {**tree, "actor_rollout_ref": {**policy, "actor": {**both, **actor}}}


def new_place(key: str) -> str:
    """Where a key of an old section lives now.

    Raises:
        ConfigurationError: Nowhere.
    """
    place = MOVED.get(key)
    if place is None:
        section = key.partition(".")[0]
        siblings = [name for name in MOVED if name.startswith(f"{section}.")]
        raise ConfigurationError(
            f"{key} has no meaning in verl 0.9.1's trainer.", f"Take it out. {did_you_mean(key, siblings)}"
        )
    return place


def _leaves(prefix: str, tree: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(tree, Mapping) or prefix in MOVED:
        yield prefix, tree
        return
    for name, value in tree.items():
        yield from _leaves(f"{prefix}.{name}", value)


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *parents, leaf = key.split(".")
    for name in parents:
        if tree.get(name) is None:
            tree[name] = {}
        tree = tree[name]
    tree[leaf] = value
