"""The part of a configuration that a reader of a report looks for first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

_ACTOR = "actor_rollout_ref.actor"
_ROLLOUT = "actor_rollout_ref.rollout"


def load_yaml(path: Path) -> Any:
    """A YAML file of the record as plain data; None where it does not exist."""
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None


def settings(config: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Label, value and key of each setting that ``config`` holds."""
    rows: list[tuple[str, str, str]] = []
    for label, key, shown in _ROWS:
        value = lookup(config, key)
        if value not in (None, "", [], {}):
            rows.append((label, shown(value), key))
    return rows + _conditional(config)


def lookup(config: Any, key: str) -> Any:
    """The value at a dotted key, or None."""
    for part in key.split("."):
        config = config.get(part) if isinstance(config, dict) else None
    return config


def short_path(value: Any) -> str:
    """The last two parts of a path, or of the first of several."""
    if isinstance(value, list):
        return ", ".join(short_path(item) for item in value)
    return "/".join(Path(str(value)).parts[-2:])


def _conditional(config: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Settings that count only where something else is on."""
    rows = []
    if lookup(config, f"{_ACTOR}.use_kl_loss"):
        key = f"{_ACTOR}.kl_loss_coef"
        rows.append(("KL loss coefficient", _plain(lookup(config, key)), key))
    if lookup(config, "algorithm.use_kl_in_reward"):
        key = "algorithm.kl_ctrl.kl_coef"
        rows.append(("KL reward coefficient", _plain(lookup(config, key)), key))
    if lookup(config, "actor_rollout_ref.model.lora_rank"):
        key = "actor_rollout_ref.model.lora_rank"
        rows.append(("LoRA rank", _plain(lookup(config, key)), key))
    return rows


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _names(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, dict | list) else str(value)


_ROWS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("advantage estimator", "algorithm.adv_estimator", _plain),
    ("policy loss", f"{_ACTOR}.policy_loss.loss_mode", _plain),
    ("loss aggregation", f"{_ACTOR}.loss_agg_mode", _plain),
    ("reward functions", "reward_fn", _names),
    ("model", "actor_rollout_ref.model.path", short_path),
    ("training data", "data.train_files", short_path),
    ("validation data", "data.val_files", short_path),
    ("learning rate", f"{_ACTOR}.optim.lr", _plain),
    ("prompts a step", "data.train_batch_size", _plain),
    ("responses a prompt", f"{_ROLLOUT}.n", _plain),
    ("mini-batch, prompts", f"{_ACTOR}.ppo_mini_batch_size", _plain),
    ("longest prompt, tokens", "data.max_prompt_length", _plain),
    ("longest response, tokens", "data.max_response_length", _plain),
    ("temperature", f"{_ROLLOUT}.temperature", _plain),
    ("clip range, low", f"{_ACTOR}.clip_ratio_low", _plain),
    ("clip range, high", f"{_ACTOR}.clip_ratio_high", _plain),
    ("rollout", f"{_ROLLOUT}.name", _plain),
    ("trainer mode", "trainer.v1.trainer_mode", _plain),
    ("seed", "seed", _plain),
)
