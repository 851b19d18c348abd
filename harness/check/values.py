"""Types and ranges of values: against verl's dataclasses and defaults, and against what the numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from harness.check.problem import Problem
from harness.check.schema import verl_schema
from harness.config.tree import verl_trainer_configs

WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "a text", "list": "a list",
         "dict": "a section", "none": "null"}  # fmt: skip
# several types by design, whatever the default's is
ANY = ("data.train_files", "data.val_files", "trainer.logger", "trainer.v1.async_warmup")
# this project's keys, and one of verl's that has neither a dataclass nor a default
OWN = {"seed": ["int"], "name": ["str"], "output_root": ["str"], "overlong_filtering": ["bool"],
       "trainer.total_training_steps": ["int"], "data.train_files": ["str", "list"],
       "data.val_files": ["str", "list"]}  # fmt: skip
OPEN = ("override_config", "engine_kwargs", "reward_kwargs", "apply_chat_template_kwargs", "mm_processor_kwargs")


def type_problems(tree: Mapping[str, Any], given: Collection[str] = ()) -> Iterator[Problem]:
    """Values of a type that their key does not take; verl's own defaults pass whatever their types say.

    Args:
        tree: The resolved configuration.
        given: The keys that the user set: nobody else's null is told.
    """
    defaults = verl_defaults(tree)
    for section in sorted(defaults.keys() & tree.keys()):
        for problem in _section(tree[section], defaults[section], section):
            if problem.value is not None or problem.key in given:
                yield problem
    for key, types in OWN.items():
        if not fits(lookup(tree, key), [*types, "none"]):
            yield _wrong(key, lookup(tree, key), types)


def _wrong(key: str, value: Any, types: list[str]) -> Problem:
    return Problem("wrong-type", key, f"{key}={_shown(value)}: {_wanted(types)} is needed.", "", value)


def verl_defaults(tree: Mapping[str, Any]) -> dict[str, Any]:
    """verl's own configuration for the engine that is chosen."""
    return _defaults(str(lookup(tree, "actor_rollout_ref.actor.strategy")))


@cache
def _defaults(strategy: str) -> dict[str, Any]:
    engine = strategy if strategy in verl_trainer_configs() else "dp"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    path = verl_trainer_configs().get(engine)
    return yaml.load(path.read_text(), Loader=loader) if path else {}


def _section(node: Any, default: Any, key: str) -> Iterator[Problem]:
    if not isinstance(node, Mapping):
        return
    default = default if isinstance(default, Mapping) else {}
    target = str(node.get("_target_") or default.get("_target_") or "")
    fields = verl_schema().classes.get(target.rpartition(".")[2], {})
    for name, value in node.items():
        here, usual = f"{key}.{name}", default.get(name)
        if name in OPEN or here in ANY:
            continue
        if isinstance(value, Mapping) and (isinstance(usual, Mapping) or usual is None):
            yield from _section(value, usual, here)
            continue
        types = fields.get(name) or _type_of(usual)
        changed = (type(value), value) != (type(usual), usual)  # 1 equals True, and is none
        if name in default and changed and value != "???" and not fits(value, types):
            yield _wrong(here, value, types)


def _type_of(usual: Any) -> list[str]:
    """What a key takes whose only description is its default."""
    if usual is None or usual == "???" or (isinstance(usual, str) and "${" in usual):
        return ["any"]
    return [type(usual).__name__]


def fits(value: Any, types: list[str]) -> bool:
    """Whether a value has one of the types."""
    if "any" in types or not types:
        return True
    if any(text.startswith("=") for text in types) and f"={value}" in types:
        return True
    if value is None:
        return "none" in types
    if isinstance(value, bool):
        return "bool" in types
    if isinstance(value, int):
        return bool({"int", "float", "str"} & set(types))
    if isinstance(value, float):
        return bool({"float", "str"} & set(types))
    return type(value).__name__ in types


def _wanted(types: list[str]) -> str:
    literal = [text[1:] for text in types if text.startswith("=")]
    words = [WORDS[name] for name in types if name in WORDS and name != "none"]
    return " or ".join([*words, *literal, *(["null"] if "none" in types else [])])


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True)
class Range:
    """What a number may be.

    Attributes:
        words: In words, for the message.
        holds: Whether a number is in it.
    """

    words: str
    holds: Callable[[float], bool]


COUNT = Range("a number of 1 or more", lambda number: number >= 1)
NATURAL = Range("a number of 0 or more", lambda number: number >= 0)
POSITIVE = Range("a number above 0", lambda number: number > 0)
SHARE = Range("a number above 0 and at most 1", lambda number: 0 < number <= 1)
FRACTION = Range("a number from 0 to 1", lambda number: 0 <= number <= 1)
TOP_K = Range("-1 (all) or a number above 0", lambda number: number == -1 or number > 0)

_ACTOR, _ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
RANGES: dict[str, Range] = {
    **dict.fromkeys(
        ("data.train_batch_size", "data.max_prompt_length", "data.max_response_length", "trainer.nnodes",
         "trainer.n_gpus_per_node", "trainer.total_epochs", "trainer.total_training_steps", f"{_ROLLOUT}.n",
         f"{_ROLLOUT}.val_kwargs.n", f"{_ROLLOUT}.prompt_length", f"{_ROLLOUT}.response_length",
         f"{_ROLLOUT}.tensor_model_parallel_size", f"{_ROLLOUT}.data_parallel_size",
         f"{_ROLLOUT}.pipeline_model_parallel_size", f"{_ROLLOUT}.max_num_seqs", f"{_ROLLOUT}.max_num_batched_tokens",
         f"{_ROLLOUT}.max_model_len", f"{_ROLLOUT}.agent.num_workers", f"{_ACTOR}.ppo_mini_batch_size",
         f"{_ACTOR}.ppo_epochs", "critic.ppo_mini_batch_size", "critic.ppo_epochs", "reward.num_workers",
         f"{_ACTOR}.ppo_max_token_len_per_gpu", "actor_rollout_ref.model.lora_alpha",
         f"{_ACTOR}.ppo_micro_batch_size_per_gpu", f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu",
         "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu", f"{_ACTOR}.ulysses_sequence_parallel_size",
         "critic.ppo_micro_batch_size_per_gpu", "critic.ppo_max_token_len_per_gpu", "critic.rollout_n",
         "critic.forward_micro_batch_size_per_gpu", "critic.ulysses_sequence_parallel_size",
         *(f"{section}.megatron.{size}_model_parallel_size" for section in (_ACTOR, "critic")
           for size in ("tensor", "pipeline", "expert")),
         *(f"{section}.megatron.context_parallel_size" for section in (_ACTOR, "critic")),
         "algorithm.filter_groups.max_inflight_gen_batches"),
        COUNT,
    ),
    **dict.fromkeys(
        ("seed", f"{_ACTOR}.optim.lr", "critic.optim.lr", f"{_ACTOR}.optim.weight_decay", "critic.optim.weight_decay",
         f"{_ACTOR}.clip_ratio", f"{_ACTOR}.clip_ratio_low", f"{_ACTOR}.clip_ratio_high", f"{_ACTOR}.kl_loss_coef",
         "critic.cliprange_value", "algorithm.kl_ctrl.kl_coef", f"{_ROLLOUT}.val_kwargs.temperature",
         "actor_rollout_ref.model.lora_rank", "trainer.critic_warmup",
         "algorithm.filter_groups.max_num_gen_batches"),
        NATURAL,
    ),
    **dict.fromkeys(
        (f"{_ROLLOUT}.temperature", f"{_ACTOR}.grad_clip", "critic.grad_clip", f"{_ACTOR}.loss_scale_factor",
         f"{_ACTOR}.tau_pos", f"{_ACTOR}.tau_neg", "algorithm.kl_ctrl.horizon"),
        POSITIVE,
    ),
    f"{_ACTOR}.clip_ratio_c": Range("a number above 1", lambda number: number > 1),
    **dict.fromkeys((f"{_ROLLOUT}.top_k", f"{_ROLLOUT}.val_kwargs.top_k"), TOP_K),
    **dict.fromkeys(
        (f"{_ROLLOUT}.top_p", f"{_ROLLOUT}.val_kwargs.top_p", f"{_ROLLOUT}.gpu_memory_utilization"), SHARE
    ),
    **dict.fromkeys(
        ("algorithm.gamma", "algorithm.lam", f"{_ACTOR}.optim.lr_warmup_steps_ratio",
         "critic.optim.lr_warmup_steps_ratio"),
        FRACTION,
    ),
}  # fmt: skip


def range_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Numbers that their key gives no meaning."""
    for key, allowed in RANGES.items():
        value = lookup(tree, key)
        if isinstance(value, int | float) and not isinstance(value, bool) and not allowed.holds(value):
            yield Problem("out-of-range", key, f"{key}={value}: {allowed.words} is needed.", "", value)


def lookup(tree: Mapping[str, Any], key: str) -> Any:
    """A dotted key's value, or None."""
    node: Any = tree
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node
