"""From the configuration to what scoring processes build: managers, functions, limits."""

from __future__ import annotations

import sys
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.components.instantiate import component_of
from harness.scoring.batch import BatchScoringService
from harness.scoring.build import is_classic, scores_whole_batches
from harness.scoring.setup import GIGABYTE, Limits, Setup

VERL_SCORER = "harness.backend.verl_scorer.VerlScorer"
CLASSIC_MANAGER = "harness.backend.classic_manager"


def limits_of(config: DictConfig) -> Limits:
    """The section ``scoring``.

    Raises:
        ConfigurationError: It has an impossible value.
    """
    return Limits(**OmegaConf.to_container(config.scoring, resolve=True))


def wants_whole_batches(config: DictConfig) -> bool:
    """Whether ``reward_manager`` scores all responses of a step at once, in the trainer's order of things."""
    return scores_whole_batches(config.reward_manager, config.get("trusted_modules") or ())


def scoring_setup(config: DictConfig) -> Setup:
    """What every scoring process of this training builds."""
    trusted = tuple(config.get("trusted_modules") or ())
    functions = OmegaConf.to_container(config.reward_fn, resolve=True)
    for node in functions.values():
        if node.get("_target_") == VERL_SCORER:
            node |= _verls_choice(config)
    manager = OmegaConf.to_container(config.reward_manager, resolve=True)
    supplied: dict[str, Any] = {}
    if not manager.get("_target_"):
        manager = {}
    elif is_classic(component_of(manager, "reward_manager", trusted)):
        supplied = {"config": OmegaConf.to_container(config, resolve=True), "adapter": CLASSIC_MANAGER}
    return Setup(
        functions=functions,
        manager=manager,
        trusted=trusted,
        memory_bytes=int(config.scoring.memory_gb * GIGABYTE),
        search_path=tuple(sys.path),
        supplied=supplied,
    )


def _verls_choice(config: DictConfig) -> dict[str, Any]:
    """What decides verl's scorer, without the ``_target_`` of verl's own dataclasses."""
    custom = OmegaConf.to_container(config.reward.custom_reward_function, resolve=True)
    sandbox = config.reward.get("sandbox_fusion") or {}
    return {
        "custom": {name: value for name, value in custom.items() if name != "_target_"},
        "sandbox_url": sandbox.get("url"),
        "sandbox_memory_mb": sandbox.get("memory_limit_mb") or 1024,
    }


def batch_scoring_service(config: DictConfig) -> BatchScoringService | None:
    """The service of a manager that scores whole batches; None where reward workers score each response."""
    return BatchScoringService(scoring_setup(config), limits_of(config)) if wants_whole_batches(config) else None
