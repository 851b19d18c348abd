"""The fingerprint of an experiment: equal fingerprint and seed means the same experiment.

It covers what decides the result and leaves out the seed, names, places, tracking and the cluster.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from harness.config.cache_folder import cache_root

if TYPE_CHECKING:
    from omegaconf import DictConfig

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
    "tracking",
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
HASH = re.compile(r"-[0-9a-f]{12}(?=/|$)")  # of a recipe, see `harness.config.recipes`
MADE = re.compile(r"(?P<cache>.*/)(?P<name>[^/]+)/[^/]+-[0-9a-f]{12}")


def deciding(config: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """The part of a resolved configuration that decides the result."""
    tree: Any = deepcopy(config) if isinstance(config, dict) else _plain(config)
    for key in IGNORED:
        _remove(tree, key.split("."))
    return placeless(_without_observers(tree))


def placeless(tree: Any) -> Any:
    """A resolved configuration without the places of made models and data sets, on whichever machine it was resolved.

    Their folders stay without the cache and the recipe's hash, which the seed is a part of: the recipe itself stands
    under ``prepare``.
    """
    caches = sorted({f"{cache_root()}/", *_caches(tree)}, key=len, reverse=True)
    return _without_caches(tree, caches)


def identity(config: DictConfig) -> dict[str, Any]:
    """What a run that is resumed has to leave as it is: what decides the result, its seeds and its places."""
    from omegaconf import OmegaConf

    return deciding(config) | {key: OmegaConf.select(config, key) for key in (*SEEDS, *PLACES)}


def fingerprint(config: DictConfig | Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits over what `deciding` leaves."""
    text = json.dumps(deciding(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(config: Any) -> Any:
    from omegaconf import OmegaConf  # 0.06 s, which a comparison of plain trees does without

    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else deepcopy(config)


def _remove(tree: Any, path: list[str]) -> None:
    for key in path[:-1]:
        tree = tree.get(key) if isinstance(tree, dict) else None
    if isinstance(tree, dict):
        tree.pop(path[-1], None)


def _without_observers(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _without_observers(value) for key, value in tree.items() if key not in IGNORED_ANYWHERE}
    return [_without_observers(value) for value in tree] if isinstance(tree, list) else tree


def _caches(tree: Any) -> Iterator[str]:
    """The folders that hold what ``prepare`` makes, as the configuration itself tells: those of where it was made."""
    for name, node in ((tree.get("prepare") if isinstance(tree, dict) else None) or {}).items():
        if isinstance(node, dict) and (path := MADE.fullmatch(str(node.get("path")))) and path["name"] == name:
            yield path["cache"]


def _without_caches(tree: Any, caches: Sequence[str]) -> Any:
    if isinstance(tree, dict):
        return {key: _without_caches(value, caches) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_without_caches(value, caches) for value in tree]
    cache = next((cache for cache in caches if isinstance(tree, str) and tree.startswith(cache)), None)
    return tree if cache is None else HASH.sub("", tree.removeprefix(cache))
