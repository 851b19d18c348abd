"""The kinds of component: each with its group in the configuration, its decorator and what it must look like.

A new kind is one entry here, one folder ``conf/<group>/`` and one call of `instantiate` where it is used
(docs/guides/component_type.md).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

REWARDS = ("token_level_rewards", "token_level_scores")
# what a step's batch has for an advantage function; also the columns of the data, whatever their names
FIELDS = (
    *REWARDS, "rm_scores", "response_mask", "eos_mask", "index", "uid", "old_log_probs", "ref_log_prob",
    "rollout_log_probs", "values", "entropy", "greedy_scores", "process_rewards", "reward_components", "reward_weights",
    "prompts", "responses", "raw_prompt", "data_source", "reward_model", "extra_info", "extra_fields", "config",
)  # fmt: skip
LOSS_ARGUMENTS = ("old_log_prob", "log_prob", "advantages", "response_mask", "loss_agg_mode", "config")
LOSS_WEIGHTS = "rollout_is_weights"  # only where algorithm.rollout_correction.rollout_is computes them
REWARD_ARGUMENTS = ("input_text", "response_text", "data_source", "solution_str", "ground_truth", "extra_info")
MANAGER_ARGUMENTS = ("functions", "tokenizer", "num_examine", "config", "compute_score")


@dataclass(frozen=True)
class Kind:
    """One kind of component.

    Attributes:
        name: As in ``register_<name>`` and ``get_<name>``.
        group: The group whose option a registered name becomes.
        problem: What is wrong with an object of this kind, or None.
        given: Parameters that the harness gives it, which are no keys of its option.
    """

    name: str
    group: str
    problem: Callable[[Any], str | None]
    given: tuple[str, ...] = ()


def _reward_function(thing: Any) -> str | None:
    names, anything = parameters_of(thing)
    if "weight" in names:
        return "the weight of a reward function is not its own: call the parameter otherwise"
    if anything or "solution_str" in names or len(names) >= 2:
        return _unknown_required(thing, REWARD_ARGUMENTS, skip=2)
    return "it must take (input_text, response_text, **kwargs) or verl's (data_source, solution_str, ground_truth, …)"


def _advantage_function(thing: Any) -> str | None:
    names, anything = parameters_of(thing)
    if anything or set(names) & {*REWARDS, "process_rewards", "reward_components"}:
        return None
    return "it must take token_level_rewards, as f(token_level_rewards, response_mask, index) -> (advantages, returns)"


def _policy_loss(thing: Any) -> str | None:
    names, anything = parameters_of(thing)
    missing = [name for name in LOSS_ARGUMENTS if name not in names]
    if missing and not anything:
        return f"it must take {', '.join(missing)} as well"
    return _unknown_required(thing, (*LOSS_ARGUMENTS, LOSS_WEIGHTS), skip=0)


def _reward_manager(thing: Any) -> str | None:
    if inspect.isclass(thing) and any(hasattr(thing, name) for name in ("score", "score_batch")):
        return None
    if inspect.isclass(thing) and any("__call__" in vars(base) for base in thing.__mro__):
        return None
    return "it must be a class with score(sample), score_batch(samples) or __call__(data)"


def _manager(thing: Any) -> str | None:
    wanted = ("train", "evaluate", "save", "load")
    if inspect.isclass(thing) and all(callable(getattr(thing, name, None)) for name in wanted):
        return None
    return "it must be a class with train, evaluate, save and load (harness.managers.base.BaseTrainingManager)"


def _algorithm(thing: Any) -> str | None:
    wanted = ("build", "before_advantages", "save", "load")
    if inspect.isclass(thing) and all(callable(getattr(thing, name, None)) for name in wanted):
        return None
    return "it must be a subclass of harness.backend.steps.AlgorithmSteps"


def reads_components_alone(thing: Any) -> bool:
    """Whether an advantage function sees the scores of each function of ``reward_fn`` and not the reward itself."""
    names, anything = parameters_of(thing)
    return "reward_components" in names and not anything and not {*names} & {*REWARDS, "rm_scores"}


KINDS = {
    kind.name: kind
    for kind in (
        Kind("reward_function", "reward_fn", _reward_function, REWARD_ARGUMENTS),
        Kind("reward_manager", "reward_manager", _reward_manager, MANAGER_ARGUMENTS),
        Kind("advantage_function", "advantage_fn", _advantage_function, FIELDS),
        Kind("policy_loss", "policy_loss", _policy_loss, (*LOSS_ARGUMENTS, LOSS_WEIGHTS)),
        Kind("algorithm", "algorithm", _algorithm),
        Kind("manager", "manager", _manager, ("config", "overrides", "save_last")),
    )
}


def kind_of(key: str) -> Kind | None:
    """The kind of the component at this key of the configuration; None where it is no such place."""
    group = key.partition(".")[0]
    if group == "algorithm_steps":
        return KINDS["algorithm"]
    parts = 2 if group == "reward_fn" else 1
    whole = key.count(".") == parts - 1
    return next((kind for kind in KINDS.values() if kind.group == group and whole), None)


def option_node(kind: Kind, name: str, target: str, parameters: dict[str, Any], base: str = "grpo") -> dict[str, Any]:
    """What a registered name stands for in the configuration.

    Args:
        kind: The component's kind.
        name: Its name.
        target: Its dotted name.
        parameters: Its parameters with their defaults.
        base: For algorithms, the option they build on.
    """
    node = {"_target_": target, **{key: value for key, value in parameters.items() if key not in kind.given}}
    if kind.name == "reward_function":
        return {"weight": 1.0, **node}
    if kind.name == "algorithm":
        return {"defaults": [base, "_self_"], "algorithm_steps": node}
    return node


def package(kind: Kind, name: str) -> str:
    """Where the option's node stands in the composition."""
    return {"reward_function": f"reward_fn.{name}", "algorithm": "_global_"}.get(kind.name, kind.group)


def parameters_of(thing: Any) -> tuple[list[str], bool]:
    """The names that a component, or a class's object, is called with; and whether it takes any other as well."""
    parameters = _signature(thing)
    named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def required_of(thing: Any) -> list[str]:
    """Those of the names that have no default."""
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [p.name for p in _signature(thing) if p.kind in plain and p.default is p.empty]


def _signature(thing: Any) -> list[inspect.Parameter]:
    """The parameters with which it is called; of a class, those of its objects."""
    if inspect.isclass(thing):
        called = next((vars(base)["__call__"] for base in thing.__mro__ if "__call__" in vars(base)), None)
        return list(inspect.signature(called).parameters.values())[1:] if called else []
    return list(inspect.signature(thing).parameters.values()) if callable(thing) else []


def _unknown_required(thing: Any, known: tuple[str, ...], skip: int) -> str | None:
    passed = [p.name for p in _signature(thing)[:skip]]
    unknown = [name for name in required_of(thing) if name not in known and name not in passed]
    return f"nothing gives it {', '.join(unknown)}; give them a default" if unknown else None
