"""What lies outside the configuration: room for checkpoints, W&B's key, Slurm's answer to the job."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import OmegaConf

from harness.check.model_shape import model_shape
from harness.check.problem import Problem
from harness.launch.slurm.commands import SlurmError, test_only
from harness.launch.slurm.script import Array, sbatch_script
from harness.tracking.key import missing_key
from harness.tracking.process import tracks

if TYPE_CHECKING:
    from omegaconf import DictConfig

GIGABYTE = 1e9
Seen = list[tuple[str, str]]


def place_problems(config: DictConfig) -> tuple[Seen, list[Problem]]:
    """Look at each place that the training would use.

    Args:
        config: A resolved configuration.

    Returns:
        What was seen, ``(part, text)``, and what is wrong.
    """
    seen: Seen = []
    problems = [*_disk(config, seen), *_wandb(config, seen), *_slurm(config, seen)]
    return seen, problems


def checkpoint_gigabytes(config: DictConfig) -> float:
    """What one checkpoint takes: weights and Adam's states as trained; 0 where the model's sizes are unknown."""
    shape = model_shape(str(config.actor_rollout_ref.model.path))
    if shape is None or config.trainer.save_freq <= 0:
        return 0.0
    stored = 4 if config.actor_rollout_ref.actor.get("fsdp_config", {}).get("model_dtype", "fp32") == "fp32" else 2
    models = 2 if config.critic.enable else 1
    return models * 3 * stored * shape.parameters / GIGABYTE


def _disk(config: DictConfig, seen: Seen) -> Iterator[Problem]:
    place = Path(config.output_root).expanduser().absolute()
    existing = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free = shutil.disk_usage(existing).free / GIGABYTE
    each, kept = checkpoint_gigabytes(config), config.trainer.max_actor_ckpt_to_keep
    steps = config.trainer.total_training_steps
    count = -(-steps // config.trainer.save_freq) if steps and each else 1
    count = min(count, kept) if kept else count
    needed = each * (count + 1)  # one more: where a single one is kept, the next is written before it goes
    seen.append(("disk", f"{existing}: {free:,.0f} GB free; checkpoints of {each:,.1f} GB, up to {count} kept"))
    if each and needed > free:
        yield Problem(
            "disk",
            "trainer.save_freq",
            f"trainer.save_freq={config.trainer.save_freq}: checkpoints take {needed:,.1f} GB; {free:,.1f} are free.",
            "Set trainer.max_actor_ckpt_to_keep=2, or output_root to a larger disk.",
        )
    elif not os.access(existing, os.W_OK):
        message = f"output_root={config.output_root}: {existing} is not writable."
        yield Problem("disk", "output_root", message, "Set output_root to a folder of yours.")


def _wandb(config: DictConfig, seen: Seen) -> Iterator[Problem]:
    if not tracks(config):
        return
    mode, why = os.environ.get("WANDB_MODE") or config.tracking.mode, missing_key()
    seen.append(("W&B", f"{'no key' if why else 'a key is set'}, {mode}"))
    if why and mode == "online":
        message = f"tracking.mode=online: {why}, so the run is kept in its folder."
        remedy = "Run `wandb login`, or upload it later: harness sync."
        yield Problem("wandb", "tracking.mode", message, remedy, mode, warning=True)


def _slurm(config: DictConfig, seen: Seen) -> Iterator[Problem]:
    """Slurm itself says whether it would take the job: partition, account, limits and resources at once."""
    if config.cluster.launcher != "slurm":
        return
    script = sbatch_script(config.cluster, Array([0], Path(config.output_root).absolute(), config.name))
    try:
        seen.append(("Slurm", test_only(script)))
    except SlurmError as error:
        asked = {key: value for key, value in OmegaConf.to_container(config.cluster).items() if value not in (None, [])}
        yield Problem("slurm", "cluster", f"cluster: Slurm would not take the job: {error.message}",
                      error.remedy or f"It was asked for {asked}.")  # fmt: skip
