"""Reward functions and the reward manager, built from their nodes in the process where they score."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.components.instantiate import component_of, instantiate
from harness.errors import ComponentError
from harness.reward_managers.per_sample import PerSampleRewardManager, WeightedFunction
from harness.scoring.functions import Call, Functions, RemoteFunction
from harness.scoring.setup import Setup


def build_manager(setup: Setup, call: Call) -> Any:
    """The manager with its functions: an object with ``score(sample)``, ``score_batch(samples)`` or ``call(…)``.

    Args:
        setup: What it is made of.
        call: Calls functions that another process holds.

    Raises:
        ComponentError: Something cannot be built.
    """
    functions = build_functions(setup) if setup.remote is None else _remote_functions(setup, setup.remote, call)
    if setup.apart:
        return Functions(functions)
    if not setup.manager:
        return PerSampleRewardManager(functions)
    if "adapter" in setup.supplied:
        component = component_of(setup.manager, "reward_manager", setup.trusted)
        parameters = {name: value for name, value in setup.manager.items() if name not in ("_target_", "code")}
        adapter = importlib.import_module(setup.supplied["adapter"])  # of the backend, on which nothing here depends
        return adapter.ClassicRewardManager(component, parameters, setup.supplied["config"], functions)
    return _with_scores(setup, functions)


def _with_scores(setup: Setup, functions: list[WeightedFunction]) -> Any:
    manager = instantiate(setup.manager, "reward_manager", setup.trusted, functions=functions)
    if not hasattr(manager, "score") and not hasattr(manager, "score_batch"):
        raise ComponentError(
            f"reward_manager: {setup.manager['_target_']} has neither score(sample) nor score_batch(samples)."
        )
    return manager


def scores_whole_batches(node: Mapping[str, Any], trusted: Sequence[str]) -> bool:
    """Whether this reward manager wants all responses of a step at once.

    Raises:
        ComponentError: It cannot be imported.
    """
    if not node.get("_target_"):
        return False
    return takes_whole_batches(component_of(node, "reward_manager", trusted))


def takes_whole_batches(component: Any) -> bool:
    """Whether a reward manager's class has ``score_batch``, or ``__call__`` alone."""
    return hasattr(component, "score_batch") or is_classic(component)


def is_classic(component: Any) -> bool:
    """Whether it is a manager of verl's older kind: ``__call__(data)`` gives a tensor of token-level rewards."""
    called = inspect.isclass(component) and any("__call__" in vars(base) for base in component.__mro__)
    return called and not hasattr(component, "score") and not hasattr(component, "score_batch")


def build_functions(setup: Setup) -> list[WeightedFunction]:
    """The functions of ``reward_fn`` in their order."""
    built = []
    for name, node in setup.functions.items():
        parameters = {key: value for key, value in node.items() if key != "weight"}
        function = instantiate(parameters, f"reward_fn.{name}", setup.trusted)
        built.append(WeightedFunction(name, _classic(function), float(node.get("weight", 1.0))))
    return built


def _remote_functions(setup: Setup, takes: Mapping[str, frozenset[str] | None], call: Call) -> list[WeightedFunction]:
    weights = {name: float(node.get("weight", 1.0)) for name, node in setup.functions.items()}
    return [WeightedFunction(name, RemoteFunction(name, takes[name], call), weights[name]) for name in takes]


def _classic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a function with verl's signature (``solution_str``) the harness's (``input_text, response_text``)."""
    if "solution_str" not in inspect.signature(function).parameters:
        return function

    takes = inspect.signature(function).parameters
    anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())

    def from_text(input_text: str, response_text: str, **kwargs: Any) -> Any:
        taken = {name: value for name, value in kwargs.items() if anything or name in takes}
        return function(solution_str=response_text, **taken)

    return from_text
