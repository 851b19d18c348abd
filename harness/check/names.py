"""Names that verl looks up while it trains: only those that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.schema import verl_schema
from harness.check.values import lookup
from harness.config.source import module_source, names_in
from harness.config.suggest import did_you_mean

MEGATRON_OPTIMISERS = ("adam", "sgd", "muon", "adaptive_muon", "dist_muon", "soap", "lion")
MEGATRON_SCHEDULES = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
TRAINER_MODES = ("sync", "colocate_async", "separate_async")
_ACTOR = "actor_rollout_ref.actor"


def name_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Every such name that does not exist, with what does."""
    yield from _importable(tree)
    for key, allowed in _allowed(tree).items():
        value = lookup(tree, key)
        for name in value if isinstance(value, list) else [value]:
            if name is not None and name != "???" and name not in allowed:
                yield Problem(
                    "unknown-name", key, f"{key}={name}: there is no such {_what(key)}.",
                    did_you_mean(str(name), sorted(allowed)), name,
                )  # fmt: skip


def _importable(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """The module that FSDP's engine takes its optimiser from."""
    if lookup(tree, f"{_ACTOR}.strategy") not in ("fsdp", "fsdp2"):
        return
    for key in (f"{_ACTOR}.optim.optimizer_impl", "critic.optim.optimizer_impl"):
        module = lookup(tree, key)
        if isinstance(module, str) and module_source(module) is None:
            yield Problem(
                "unknown-name", key, f"{key}={module}: there is no such module here.",
                "Use torch.optim, or install the package.", module,
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
    for section in (f"{_ACTOR}.optim", "critic.optim"):
        found |= {f"{section}.{name}": allowed for name, allowed in _of_the_optimiser(tree, section).items()}
    return found


def _of_the_optimiser(tree: Mapping[str, Any], section: str) -> dict[str, list[str]]:
    """Optimisers and schedules of the chosen engine."""
    strategy = lookup(tree, f"{_ACTOR}.strategy")
    if strategy == "megatron":
        return {"optimizer": list(MEGATRON_OPTIMISERS), "lr_decay_style": list(MEGATRON_SCHEDULES)}
    if strategy not in ("fsdp", "fsdp2"):
        return {}
    found = {"lr_scheduler_type": ["constant", "cosine"]}
    source = module_source(str(lookup(tree, f"{section}.optimizer_impl")))
    if source is not None:  # classes; that the module is there is `_importable`'s
        found["optimizer"] = [name for name in names_in(source) if name.strip("_")[:1].isupper()]
    return found
