"""Config-driven experiments in reinforcement-learning post-training of language models, on unmodified verl.

The public names are loaded when they are first used: `harness show` and its like must start in a fraction of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "VERLTrainingManager": "harness.managers.verl",
    "RLTrainingManager": "harness.managers.base",
    "BaseTrainingManager": "harness.managers.base",
    "compose_config": "harness.config.compose",
    "HarnessError": "harness.errors",
    "register_reward_function": "harness.registry",
    "register_reward_manager": "harness.registry",
    "register_advantage_function": "harness.registry",
    "register_policy_loss": "harness.registry",
    "register_algorithm": "harness.registry",
    "register_manager": "harness.registry",
}
_MODULES = ("registry",)

__all__ = [*_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"harness.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
