"""Problems of a configuration that can be seen before anything is started, all of them at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from harness.config.check_algorithm import algorithm_problems
from harness.config.check_targets import target_problems
from harness.config.compose import resolve
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError

TRAINER_MODES = ("sync", "colocate_async", "separate_async")
PARQUET_LEAST_BYTES = 12  # mark, footer length, mark


def find_problems(config: DictConfig) -> list[ConfigurationError]:
    """Every problem found in a composed configuration, in the order of the stages that would meet them."""
    try:
        resolve(config)
    except ConfigurationError as error:  # nothing else can be read
        return [error]
    found = [*_missing_values(config), *_files(config), *target_problems(config), *_choices(config), *_batches(config)]
    return [*found, *algorithm_problems(config)]


def require_valid(config: DictConfig) -> None:
    """Stop with all problems in one message.

    Raises:
        ConfigurationError: There is at least one.
    """
    problems = find_problems(config)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "\n".join(f"{number}. {problem}" for number, problem in enumerate(problems, 1))
        raise ConfigurationError(f"The configuration has {len(problems)} problems:\n{listed}")


def _missing_values(config: DictConfig) -> Iterator[ConfigurationError]:
    for key in sorted(OmegaConf.missing_keys(config)):
        if not key.startswith("reward.reward_model."):  # verl's own gaps, for reward models that are not used
            yield ConfigurationError(f"{key}: a value is needed and none is given.", f"Add {key}=VALUE.")


def _value(config: DictConfig, key: str) -> Any:
    return None if OmegaConf.is_missing(config, key) else OmegaConf.select(config, key, throw_on_missing=False)


def _made_folders(config: DictConfig) -> list[str]:
    return [str(node.path) for node in (config.get("prepare") or {}).values() if node]


def _files(config: DictConfig) -> Iterator[ConfigurationError]:
    made = _made_folders(config)
    for key in ("data.train_files", "data.val_files"):
        files = _value(config, key)
        for file in [files] if isinstance(files, str) else (files or []):
            if not any(str(file).startswith(folder) for folder in made) and "://" not in str(file):
                yield from _data_file(key, Path(str(file)).expanduser())
    model = _value(config, "actor_rollout_ref.model.path")
    if model and str(model) not in made:
        yield from _model(str(model))


def _data_file(key: str, path: Path) -> Iterator[ConfigurationError]:
    if not path.is_file():
        yield ConfigurationError(
            f"{key}: there is no file {path}.", "Give the path of a parquet file in verl's layout."
        )
    elif path.suffix == ".parquet" and not _is_parquet(path):
        yield ConfigurationError(f"{key}: {path} is not a whole parquet file.", "Make it again; the copy may be torn.")


def _is_parquet(path: Path) -> bool:
    """Whether the file begins and ends as parquet does: with its mark, and a footer's length before the last one."""
    size = path.stat().st_size
    if size < PARQUET_LEAST_BYTES:
        return False
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(-8, os.SEEK_END)
        footer, tail = int.from_bytes(file.read(4), "little"), file.read(4)
    return head == tail == b"PAR1" and 0 < footer <= size - PARQUET_LEAST_BYTES


def _model(model: str) -> Iterator[ConfigurationError]:
    path = Path(model).expanduser()
    key = "actor_rollout_ref.model.path"
    if path.is_dir() and not (path / "config.json").is_file():
        yield ConfigurationError(f"{key}: {path} has no config.json, so it is not a Hugging Face model folder.")
    elif not path.is_dir() and (model.startswith(("/", ".", "~")) or model.count("/") != 1):
        yield ConfigurationError(
            f"{key}: there is no folder {path}.", "Give a model folder or a hub name such as Qwen/Qwen3-0.6B."
        )


def _choices(config: DictConfig) -> Iterator[ConfigurationError]:
    if isinstance(config.seed, bool) or not isinstance(config.seed, int) or config.seed < 0:
        yield ConfigurationError(f"seed={config.seed}: a whole number of 0 or more is needed.")
    mode = config.trainer.v1.trainer_mode
    if mode not in TRAINER_MODES:
        yield ConfigurationError(
            f"trainer.v1.trainer_mode={mode}: no such mode.", did_you_mean(str(mode), TRAINER_MODES)
        )
    if config.trainer.device == "cpu":
        if config.actor_rollout_ref.actor.strategy not in ("fsdp2",):
            yield ConfigurationError(
                f"engine: {config.actor_rollout_ref.actor.strategy} does not train on a CPU.",
                "Use engine=fsdp2, or a GPU.",
            )
        if config.actor_rollout_ref.rollout.name == "sglang":
            yield ConfigurationError("rollout=sglang needs a GPU.", "Use rollout=builtin.")


def _batches(config: DictConfig) -> Iterator[ConfigurationError]:
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    workers = config.trainer.n_gpus_per_node * config.trainer.nnodes
    mini, batch, n = actor.ppo_mini_batch_size, config.data.train_batch_size, rollout.n
    if not all(isinstance(number, int) and number > 0 for number in (workers, n, mini, batch)):
        return
    if mini > batch:
        yield ConfigurationError(
            f"actor_rollout_ref.actor.ppo_mini_batch_size={mini} is larger than data.train_batch_size={batch}.",
            f"Use at most {batch}.",
        )
    elif mini * n % workers:
        yield ConfigurationError(
            f"actor_rollout_ref.actor.ppo_mini_batch_size={mini} × actor_rollout_ref.rollout.n={n} responses "
            f"do not divide among {workers} workers.",
            f"Use a multiple of {workers}.",
        )
    elif not actor.use_dynamic_bsz:
        share = mini * n // workers
        yield from _micro_batch(
            "actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu", actor.ppo_micro_batch_size_per_gpu, share
        )
        name = "actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu"
        yield from _micro_batch(name, rollout.log_prob_micro_batch_size_per_gpu, share)


def _micro_batch(key: str, value: Any, share: int) -> Iterator[ConfigurationError]:
    """verl splits a worker's share of a mini-batch into equal micro-batches, without a rest."""
    if value is None:
        yield ConfigurationError(
            f"{key}: a number is needed, or actor_rollout_ref.actor.use_dynamic_bsz=true.",
            f"Use {share} or a divisor of it.",
        )
    elif isinstance(value, int) and (value < 1 or share % value):
        divisors = [number for number in range(1, share + 1) if share % number == 0]
        below = max((number for number in divisors if number < value), default=divisors[0])
        above = min((number for number in divisors if number > value), default=divisors[-1])
        nearest = " or ".join(str(number) for number in dict.fromkeys((below, above)))
        yield ConfigurationError(
            f"{key}={value} does not divide a worker's {share} responses a mini-batch.", f"Use {nearest}."
        )
