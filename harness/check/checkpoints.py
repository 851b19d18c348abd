"""Saves that would never come to their end, and checkpoints that a training cannot begin with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup

STEPS = "trainer.total_training_steps"
CHECKPOINT = "global_step_"
KEYS = ("actor_rollout_ref.actor.checkpoint.async_save", "critic.checkpoint.async_save")


def checkpoint_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Saving in the background, which verl's V1 trainer starts and nothing ends, and what a training begins with.

    Args:
        tree: The resolved configuration.
    """
    for key in KEYS:
        if lookup(tree, key):
            message = f"{key}=true: verl's V1 trainer never ends such a save, so no run could go on from it."
            yield Problem("checkpoint", key, message, "Leave it false.", True)
    if lookup(tree, "trainer.resume_mode") == "resume_path":
        yield from _beginning(tree)


def _beginning(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Source: verl.trainer.ppo.v1.trainer_base.PPOTrainer._load_checkpoint."""
    key = "trainer.resume_from_path"
    path, total = lookup(tree, key), lookup(tree, STEPS)
    step = str(path).rpartition(CHECKPOINT)[2]
    if not path or CHECKPOINT not in str(path) or not step.isdecimal():
        message = f"{key}={path}: trainer.resume_mode=resume_path needs the path of a checkpoint."
        yield Problem("checkpoint", key, message, f"Give a folder {CHECKPOINT}N, or set resume_mode=auto.", path)
    elif not Path(str(path)).is_dir():
        yield Problem("checkpoint", key, f"{key}: there is no folder {path}.", "Give one of a run's checkpoints.", path)
    elif isinstance(total, int) and int(step) >= total and not lookup(tree, "trainer.val_only"):
        message = f"{STEPS}={total}: the training begins with the checkpoint of step {step}, so no step is left."
        yield Problem("checkpoint", STEPS, message, f"Steps count from the first one: set {STEPS}={int(step) + total}.")
