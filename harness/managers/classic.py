"""The classic way to a configuration: a file, an algorithm's name, and objects of the user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from harness.components import by_value
from harness.components.kinds import KINDS
from harness.config.classic import experiment_from
from harness.config.compose import compose_config
from harness.config.words import quoted
from harness.errors import ConfigurationError

SETTINGS = {  # arguments of train() and their keys
    "num_epochs": "trainer.total_epochs",
    "total_steps": "trainer.total_training_steps",
    "batch_size": "data.train_batch_size",
    "learning_rate": "actor_rollout_ref.actor.optim.lr",
    "eval_interval": "trainer.test_freq",
    "save_interval": "trainer.save_freq",
    "seed": "seed",
}


def is_composed(config: Any) -> bool:
    """Whether it is the result of `harness.config.compose.compose_config`."""
    return isinstance(config, DictConfig) and "run_dir" in config and "reward_fn" in config


def plain(config: str | Path | Mapping[str, Any] | DictConfig) -> str | Path | Mapping[str, Any]:
    """The same without OmegaConf's types, its interpolations as they are."""
    return OmegaConf.to_container(config, resolve=False) if isinstance(config, DictConfig) else config


def classic_config(
    config: str | Path | Mapping[str, Any] | DictConfig,
    algorithm_type: str | None = None,
    reward_function: Any = None,
    reward_manager_class: Any = None,
    core_algos_module: str | Path | None = None,
    core_algos_function: str | None = None,
    overrides: Sequence[str] = (),
) -> tuple[DictConfig, list[str]]:
    """Compose what the arguments say.

    Args:
        config: A YAML file or mapping with verl's sections, or a composed configuration.
        algorithm_type: An option of the group ``algorithm``, which wins over what the file says; grpo if not given.
        reward_function: A function ``f(input_text, response_text, **kwargs)``; in place of ``reward_fn``.
        reward_manager_class: A class; in place of ``reward_manager``.
        core_algos_module: A dotted name or a path ending in .py that holds the advantage function.
        core_algos_function: Its name; the one that suits the algorithm if not given.
        overrides: Hydra overrides, which win.

    Returns:
        The configuration and the words that stand for it in the record.

    Raises:
        ConfigurationError: Something in them is wrong.
    """
    words = [f"algorithm={quoted(algorithm_type)}"] if algorithm_type else []
    if core_algos_module:
        words += ["advantage_fn=custom", f"advantage_fn.module={quoted(str(core_algos_module))}"]
        words += [f"advantage_fn.function={quoted(core_algos_function)}"] if core_algos_function else []
    elif core_algos_function:
        raise ConfigurationError("core_algos_function names a function, but no core_algos_module is given.")
    if is_composed(config):
        if algorithm_type or core_algos_module or overrides:
            raise ConfigurationError(
                "algorithm_type and core_algos_module choose options while a configuration is composed; this one is.",
                "Compose it with algorithm=… and advantage_fn=…, or give the manager a file.",
            )
        composed, words = config, []
    else:
        words = [*words, *overrides]
        composed = compose_config(words, experiment=experiment_from(plain(config)))
    if reward_function is not None:
        _put_object(composed, "reward_function", reward_function)
    if reward_manager_class is not None:
        _put_object(composed, "reward_manager", reward_manager_class)
    return composed, words


def _put_object(config: DictConfig, kind_name: str, thing: Any) -> None:
    """Let a node stand for an object."""
    kind = KINDS[kind_name]
    key = f"{kind.group}.given" if kind_name == "reward_function" else kind.group
    if isinstance(thing, str):
        raise ConfigurationError(
            f"{kind_name}: {thing!r} is a name, and the function or class itself is needed.",
            f"Give registry.get_{kind_name}({thing!r}), or choose it: overrides=[{_chosen(kind_name, thing)!r}].",
        )
    problem = kind.problem(thing)
    if problem:
        raise ConfigurationError(f"{kind_name}: {thing!r} does not fit: {problem}.")
    node, trust = by_value.node_of(thing, key)
    with open_dict(config):
        config.trusted_modules = list(dict.fromkeys((*config.trusted_modules, trust)))
        if kind_name == "reward_function":
            config.reward_fn = {"given": {"weight": 1.0, **node}}
        else:
            config[kind.group] = node


def _chosen(kind_name: str, name: str) -> str:
    return f"reward_fn=[{name}]" if kind_name == "reward_function" else f"{KINDS[kind_name].group}={name}"


def train_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``train`` as dotted keys; dotted keys stay as they are."""
    keys = {}
    for name, value in settings.items():
        if "." not in name and name not in SETTINGS:
            raise ConfigurationError(
                f"train({name}=…): there is no such argument.",
                f"There are {', '.join(SETTINGS)}, and any key, as **{{'data.train_batch_size': 64}}.",
            )
        keys[SETTINGS.get(name, name)] = value
    return keys
