"""Options that a training would ignore, or that fight each other: what was asked for would not happen.

A list kept by hand; `tests/unit/check/test_ignored.py` holds each entry against the installed verl. Only keys that the
user gave count: a default asks for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup
from harness.config.classic import MOVED

_ACTOR, _ROLLOUT, _MODEL = (f"actor_rollout_ref.{part}" for part in ("actor", "rollout", "model"))
Tree = Mapping[str, Any]
PENALISED = ("reward", "seq_reward", "score", "seq_final_reward")  # metrics that hold the overlong penalty


@dataclass(frozen=True)
class Ignored:
    """A key that does nothing under a condition.

    Attributes:
        keys: The keys; a name before a final ``*`` stands for all below it.
        when: Whether they do nothing, from the resolved configuration.
        why: What happens instead, after "does nothing:".
        remedy: What to set.
        switch: The key that turns it on. Where the user set that one too, off was meant, and this is a warning.
        warning: Never more than a warning.
    """

    keys: tuple[str, ...]
    when: Callable[[Tree], bool]
    why: str
    remedy: str
    switch: str = ""
    warning: bool = False


def _off(key: str) -> Callable[[Tree], bool]:
    return lambda tree: not lookup(tree, key)


def _on(key: str) -> Callable[[Tree], bool]:
    return lambda tree: bool(lookup(tree, key))


def _always(tree: Tree) -> bool:
    return True


def _estimator_not_in(*names: str) -> Callable[[Tree], bool]:
    def holds(tree: Tree) -> bool:
        own = str(lookup(tree, "advantage_fn._target_") or "").rpartition(".")[2]
        return (own or lookup(tree, "algorithm.adv_estimator")) not in names

    return holds


def _fsdp(tree: Tree) -> bool:
    return lookup(tree, f"{_ACTOR}.strategy") in ("fsdp", "fsdp2")


IGNORED = (
    Ignored(
        (f"{_ACTOR}.clip_ratio",),
        lambda tree: lookup(tree, f"{_ACTOR}.clip_ratio_low") is not None,
        "clip_ratio_low and clip_ratio_high, 0.2 by default, win over it",
        f"Set {_ACTOR}.clip_ratio_low and {_ACTOR}.clip_ratio_high.",
        switch=f"{_ACTOR}.clip_ratio_low",
    ),
    Ignored((f"{_ACTOR}.grad_clip",), _fsdp, "the engine reads optim.clip_grad", f"Set {_ACTOR}.optim.clip_grad."),
    Ignored(("critic.grad_clip",), _fsdp, "the engine reads optim.clip_grad", "Set critic.optim.clip_grad."),
    Ignored(
        (f"{_ACTOR}.kl_loss_coef", f"{_ACTOR}.kl_loss_type"),
        _off(f"{_ACTOR}.use_kl_loss"),
        f"{_ACTOR}.use_kl_loss is false",
        f"Set {_ACTOR}.use_kl_loss=true, or leave it out.",
        switch=f"{_ACTOR}.use_kl_loss",
    ),
    Ignored(
        ("algorithm.kl_ctrl.*", "algorithm.kl_penalty"),
        _off("algorithm.use_kl_in_reward"),
        "algorithm.use_kl_in_reward is false",
        "Set algorithm.use_kl_in_reward=true, or leave it out.",
        switch="algorithm.use_kl_in_reward",
    ),
    Ignored(
        ("actor_rollout_ref.ref.*",),
        lambda tree: not (lookup(tree, f"{_ACTOR}.use_kl_loss") or lookup(tree, "algorithm.use_kl_in_reward")),
        "no reference model is used, as neither KL is on",
        f"Set {_ACTOR}.use_kl_loss=true, or leave it out.",
        warning=True,
    ),
    Ignored(
        ("critic.*",),
        lambda tree: lookup(tree, "critic.enable") is False,
        "there is no critic (critic.enable=false)",
        "Use algorithm=ppo, or leave it out.",
        switch="critic.enable",
        warning=True,
    ),
    Ignored(
        ("algorithm.adv_estimator",),
        _on("advantage_fn._target_"),
        "advantage_fn computes the advantages",
        "Leave it out, or set advantage_fn=verl.",
    ),
    Ignored(
        (f"{_ACTOR}.policy_loss.loss_mode",),
        _on("policy_loss._target_"),
        "policy_loss computes the loss",
        "Leave it out, or set policy_loss=verl.",
    ),
    Ignored(
        ("algorithm.norm_adv_by_std_in_grpo",),
        _estimator_not_in("grpo", "grpo_vectorized", "grpo_passk"),
        "only GRPO's advantages divide by the spread",
        "Leave it out, or use algorithm=grpo.",
    ),
    Ignored(("algorithm.lam",), _estimator_not_in("gae"), "only GAE has a λ", "Leave it out, or use algorithm=ppo.",
            warning=True),
    Ignored(
        ("algorithm.gamma",),
        _estimator_not_in("gae", "reinforce_plus_plus"),
        "these advantages do not discount",
        "Leave it out, or use an algorithm with rewards to go (ppo, reinforce_plus_plus).",
        warning=True,
    ),
    Ignored(
        ("algorithm.use_pf_ppo", "algorithm.pf_ppo.*"),
        _always,
        "verl's V1 trainer does not resample (and where its old trainer does, advantages go to the wrong responses)",
        "Leave it out.",
    ),
    Ignored(
        ("algorithm.filter_groups.metric", "algorithm.filter_groups.max_num_gen_batches"),
        _off("algorithm.filter_groups.enable"),
        "algorithm.filter_groups.enable is false",
        "Set algorithm.filter_groups.enable=true, or leave it out.",
        switch="algorithm.filter_groups.enable",
    ),
    Ignored(
        (f"{_ROLLOUT}.val_kwargs.do_sample",),
        _always,
        "validation samples by its temperature, top_p and top_k alone",
        f"Set {_ROLLOUT}.val_kwargs.temperature (0: greedy).",
        warning=True,
    ),
    Ignored(
        (f"{_ACTOR}.ppo_micro_batch_size_per_gpu",),
        _on(f"{_ACTOR}.use_dynamic_bsz"),
        f"{_ACTOR}.use_dynamic_bsz fills micro-batches by tokens",
        f"Leave it out, and set {_ACTOR}.ppo_max_token_len_per_gpu.",
        warning=True,
    ),
    Ignored(
        (f"{_ACTOR}.ppo_max_token_len_per_gpu",),
        _off(f"{_ACTOR}.use_dynamic_bsz"),
        f"{_ACTOR}.use_dynamic_bsz is false",
        f"Set {_ACTOR}.use_dynamic_bsz=true, or leave it out.",
        switch=f"{_ACTOR}.use_dynamic_bsz",
        warning=True,
    ),
    Ignored(
        ("actor_rollout_ref.model.lora_alpha", "actor_rollout_ref.model.target_modules"),
        _off("actor_rollout_ref.model.lora_rank"),
        "actor_rollout_ref.model.lora_rank is 0, so there is no LoRA",
        "Set actor_rollout_ref.model.lora_rank.",
        switch="actor_rollout_ref.model.lora_rank",
    ),
    Ignored(
        ("actor_rollout_ref.model.lora_rank",),
        lambda tree: lookup(tree, f"{_ACTOR}.strategy") == "megatron" and not lookup(tree, f"{_MODEL}.lora.rank"),
        "Megatron's engine reads lora.rank",
        "Add lora=all_linear, which sets both, or set actor_rollout_ref.model.lora.rank.",
        switch="actor_rollout_ref.model.lora.rank",
    ),
    Ignored(
        (f"{_ACTOR}.loss_scale_factor",),
        lambda tree: lookup(tree, f"{_ACTOR}.loss_agg_mode") != "seq-mean-token-sum-norm",
        "only loss_agg_mode=seq-mean-token-sum-norm divides by it",
        f"Set {_ACTOR}.loss_agg_mode=seq-mean-token-sum-norm, or leave it out.",
    ),
    Ignored(
        tuple(f"{section}.*" for section in ("reward_model", "custom_reward_function", "sandbox_fusion")),
        _always,
        "verl's V1 trainer does not read this section",
        "",
    ),
)  # fmt: skip


def ignored_problems(tree: Tree, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Given keys that would do nothing, and combinations that undo what is asked for.

    Args:
        tree: The resolved configuration.
        given: The keys that the user gave, with their values.
    """
    for rule in IGNORED:
        if rule.when(tree):
            for key in given:
                value = lookup(tree, key)
                if _matches(key, rule.keys) and value and key != rule.switch:
                    moved = f"Set {MOVED[key]} instead." if key in MOVED else ""
                    yield Problem(
                        "ignored", key, f"{key}={value} does nothing: {rule.why}.", moved or rule.remedy, value,
                        warning=rule.warning or rule.switch in given,
                    )  # fmt: skip
    yield from _fights(tree, given)


def _matches(key: str, patterns: tuple[str, ...]) -> bool:
    return any(key.startswith(text[:-1]) if text.endswith("*") else key == text for text in patterns)


def _fights(tree: Tree, given: Mapping[str, Any]) -> Iterator[Problem]:
    if (
        lookup(tree, f"{_ACTOR}.loss_agg_mode") == "seq-mean-token-sum-norm"
        and lookup(tree, f"{_ACTOR}.loss_scale_factor") is None
    ):
        limit = lookup(tree, "data.max_response_length")
        yield Problem(
            "fight", f"{_ACTOR}.loss_scale_factor",
            f"{_ACTOR}.loss_scale_factor=null: loss_agg_mode=seq-mean-token-sum-norm then divides by the longest "
            "response of each micro-batch, which is not constant.",
            f"Set it to the response limit: {_ACTOR}.loss_scale_factor={limit}.",
        )  # fmt: skip
    groups = lookup(tree, "algorithm.filter_groups") or {}
    if groups.get("enable") and penalises_overlong(tree) and groups.get("metric") in PENALISED:
        yield Problem(
            "fight", "algorithm.filter_groups.metric",
            f"algorithm.filter_groups.metric={groups['metric']} includes the overlong penalty, so groups whose answers "
            "are all right but differ in length stay.",
            "Set algorithm.filter_groups.metric=acc.", groups["metric"],
        )  # fmt: skip


def penalises_overlong(tree: Tree) -> bool:
    """Whether the reward manager takes something off long responses."""
    manager = str(lookup(tree, "reward_manager._target_") or "")
    return manager.endswith("OverlongRewardManager") or bool(
        lookup(tree, "reward.reward_kwargs.overlong_buffer_cfg.enable")
    )
