"""The fingerprint of an experiment: equal fingerprint and seed means the same experiment.

It covers what decides the result and leaves out the seed, names, places, tracking and the cluster.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from omegaconf import DictConfig, OmegaConf

SEEDS = (
    "seed",
    "data.seed",
    "actor_rollout_ref.actor.data_loader_seed",
    "actor_rollout_ref.actor.fsdp_config.seed",
    "actor_rollout_ref.ref.fsdp_config.seed",
    "actor_rollout_ref.rollout.seed",
    "critic.data_loader_seed",
    "critic.fsdp.seed",
    "prepare.model.seed",
)
PLACES = (
    "name",
    "output_root",
    "run_id",
    "run_dir",
    "manager",
    "trainer.experiment_name",
    "trainer.default_local_dir",
    "trainer.validation_data_dir",
    "trainer.resume_mode",
    "trainer.resume_from_path",
)
# what decides nothing about the numbers: names, places, how often is looked, and where it runs
IGNORED = (
    *SEEDS,
    *PLACES,
    "trusted_modules",
    "plugins",
    "cluster",
    "sweep",
    "scoring.processes",
    "ray_kwargs",
    "global_profiler",
    "transfer_queue",
    "data.dataloader_num_workers",
    "data.val_batch_size",
    "trainer.project_name",
    "trainer.logger",
    "trainer.log_val_generations",
    "trainer.default_hdfs_dir",
    "trainer.rollout_data_dir",
    "trainer.save_freq",
    "trainer.max_actor_ckpt_to_keep",
    "trainer.max_critic_ckpt_to_keep",
)
IGNORED_ANYWHERE = frozenset({"profiler", "trace", "prometheus"})


def deciding(config: DictConfig) -> dict[str, Any]:
    """The part of a resolved configuration that decides the result."""
    tree = OmegaConf.to_container(config, resolve=True)
    for key in IGNORED:
        _remove(tree, key.split("."))
    _forget_places(tree)
    return tree


def identity(config: DictConfig) -> dict[str, Any]:
    """What a run that is resumed has to leave as it is: what decides the result, its seeds and its places."""
    return deciding(config) | {key: OmegaConf.select(config, key) for key in (*SEEDS, *PLACES)}


def fingerprint(config: DictConfig) -> str:
    """Sixteen hexadecimal digits over what `deciding` leaves."""
    text = json.dumps(deciding(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _remove(tree: Any, path: list[str]) -> None:
    for key in path[:-1]:
        tree = tree.get(key) if isinstance(tree, dict) else None
    if isinstance(tree, dict):
        tree.pop(path[-1], None)


def _forget_places(tree: Any) -> None:
    """Drop observers wherever they stand, and the cache's folder from made models and data."""
    if isinstance(tree, dict):
        for key in IGNORED_ANYWHERE & tree.keys():
            del tree[key]
        for key, value in tree.items():
            tree[key] = _relative_to_cache(value)
            _forget_places(tree[key])
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            tree[index] = _relative_to_cache(value)
            _forget_places(tree[index])


def _relative_to_cache(value: Any) -> Any:
    """A made model's or data set's folder without the cache and the recipe's hash, which the seed is a part of.

    The recipe itself stands under ``prepare``.
    """
    from harness.config.recipes import cache_root

    root = f"{cache_root()}/"
    if not isinstance(value, str) or not value.startswith(root):
        return value
    return re.sub(r"-[0-9a-f]{12}(?=/|$)", "", value.removeprefix(root))
