"""Names that verl looks up while it trains: only those that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.schema import verl_schema
from harness.check.values import lookup
from harness.config.suggest import did_you_mean

TRAINER_MODES = ("sync", "colocate_async", "separate_async")
_ACTOR = "actor_rollout_ref.actor"


def name_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Every such name that does not exist, with what does."""
    for key, allowed in _allowed(tree).items():
        value = lookup(tree, key)
        for name in value if isinstance(value, list) else [value]:
            if name is not None and name != "???" and name not in allowed:
                yield Problem(
                    "unknown-name", key, f"{key}={name}: there is no such {_what(key)}.",
                    did_you_mean(str(name), sorted(allowed)), name,
                )  # fmt: skip


def _what(key: str) -> str:
    *_, section, leaf = key.split(".")
    return (section if leaf == "name" else leaf).replace("_", " ")


def _allowed(tree: Mapping[str, Any]) -> dict[str, list[str]]:
    names = verl_schema().names
    penalties = [text + straight for text in names["kl penalty"] for straight in ("", "+")]
    found: dict[str, list[str]] = {
        f"{_ACTOR}.loss_agg_mode": names["aggregation"],
        f"{_ACTOR}.kl_loss_type": penalties,
        "algorithm.kl_penalty": penalties,
        "algorithm.kl_ctrl.type": ["fixed", "adaptive"],
        "actor_rollout_ref.rollout.name": [*names["rollout"], "builtin"],
        "trainer.logger": names["tracker"],
        "trainer.resume_mode": ["auto", "disable", "resume_path"],
        "trainer.v1.trainer_mode": list(TRAINER_MODES),
        f"{_ACTOR}.strategy": ["fsdp", "fsdp2", "megatron", "veomni", "torchtitan", "automodel"],
        "trainer.device": ["cpu", "cuda", "npu"],
    }
    if not lookup(tree, "advantage_fn._target_"):
        found["algorithm.adv_estimator"] = names["estimator"]
    if not lookup(tree, "policy_loss._target_"):
        found[f"{_ACTOR}.policy_loss.loss_mode"] = names["policy loss"]
    if lookup(tree, "reward.reward_manager.source") == "register":
        found["reward.reward_manager.name"] = names["reward manager"]
    if lookup(tree, f"{_ACTOR}.strategy") in ("fsdp", "fsdp2"):
        found[f"{_ACTOR}.optim.lr_scheduler_type"] = ["constant", "cosine"]
        found["critic.optim.lr_scheduler_type"] = ["constant", "cosine"]
    return found
