"""Components by name: decorators that register them, and look-up.

A decorated name is selectable on the command line, ``reward_fn=my_reward plugins=[my_module]``: there the module's
source is read and nothing is imported before the component runs (`harness.config.plugins`). Modules in ``experiments/``
are found by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from omegaconf import OmegaConf

from harness.components.instantiate import locate
from harness.components.kinds import KINDS, Kind
from harness.config.catalogue import catalogue, option_file
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError

Component = TypeVar("Component", bound=Callable[..., Any])
_registered: dict[str, dict[str, Any]] = {name: {} for name in KINDS}


def register(kind_name: str, name: str | None = None) -> Callable[[Component], Component]:
    """A decorator for components of a kind.

    Args:
        kind_name: One of `KINDS`.
        name: The component's name; its own if not given.

    Raises:
        ConfigurationError: The kind is not known, another component has the name, or it does not fit the kind.
    """
    if kind_name not in KINDS:
        raise ConfigurationError(f"There is no kind of component {kind_name!r}.", did_you_mean(kind_name, list(KINDS)))
    kind = KINDS[kind_name]

    def decorate(component: Component) -> Component:
        chosen = name or component.__name__
        _require_free(kind, chosen, component)
        problem = kind.problem(component)
        if problem:
            raise ConfigurationError(
                f"register_{kind.name}({chosen!r}): {_full_name(component)} does not fit: {problem}."
            )
        _registered[kind.name][chosen] = component
        return component

    return decorate


def register_reward_function(name: str | None = None) -> Callable[[Component], Component]:
    """``def f(input_text, response_text, **kwargs) -> float`` or a mapping with ``score``, and ``acc`` from 0 to 1."""
    return register("reward_function", name)


def register_reward_manager(name: str | None = None) -> Callable[[Component], Component]:
    """A class with ``score(sample)``, ``score_batch(samples)`` or, as in verl, ``__call__(data)``."""
    return register("reward_manager", name)


def register_advantage_function(name: str | None = None) -> Callable[[Component], Component]:
    """``def f(token_level_rewards, response_mask, index, …) -> (advantages, returns)``."""
    return register("advantage_function", name)


def register_policy_loss(name: str | None = None) -> Callable[[Component], Component]:
    """``def f(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, …) -> (loss, metrics)``."""
    return register("policy_loss", name)


def register_algorithm(name: str | None = None, base: str = "grpo") -> Callable[[Component], Component]:
    """A subclass of `harness.backend.steps.AlgorithmSteps`; ``algorithm=NAME`` is then ``base`` with these steps."""
    return register("algorithm", name)


def register_manager(name: str | None = None) -> Callable[[Component], Component]:
    """A subclass of `harness.managers.base.BaseTrainingManager`."""
    return register("manager", name)


def get(kind_name: str, name: str) -> Any:
    """A component by name: a registered one, else the target of the option ``conf/<group>/<name>.yaml``.

    Raises:
        ConfigurationError: There is none.
    """
    kind = KINDS[kind_name]
    if name in _registered[kind_name]:
        return _registered[kind_name][name]
    file = option_file(kind.group, name)
    target = _target_of(kind, OmegaConf.load(file)) if file else None
    if file is not None and target is None:
        raise ConfigurationError(f"{kind.group}={name} is made of keys alone ({file}): there is no component to get.")
    if target is None:
        known = list_components()[kind_name]
        raise ConfigurationError(
            f"There is no {kind_name.replace('_', ' ')} {name!r}.",
            f"{did_you_mean(name, known)} Import the module that registers it first.",
        )
    return locate(target, f"{kind.group}={name}", (target.split(".")[0],))


def get_reward_function(name: str) -> Any:
    """See `get`."""
    return get("reward_function", name)


def get_reward_manager(name: str) -> Any:
    """See `get`."""
    return get("reward_manager", name)


def get_advantage_function(name: str) -> Any:
    """See `get`."""
    return get("advantage_function", name)


def get_policy_loss(name: str) -> Any:
    """See `get`."""
    return get("policy_loss", name)


def get_algorithm(name: str) -> Any:
    """See `get`."""
    return get("algorithm", name)


def get_manager(name: str) -> Any:
    """See `get`."""
    return get("manager", name)


def list_components() -> dict[str, list[str]]:
    """Kind → the names that can be chosen: registered here, shipped, and the user's own options."""
    options = catalogue()
    return {name: sorted({*_registered[name], *options.get(kind.group, {})}) for name, kind in KINDS.items()}


def _require_free(kind: Kind, name: str, component: Any) -> None:
    other = _registered[kind.name].get(name)
    if other is not None and _full_name(other) != _full_name(component):  # a module run again replaces its own
        raise ConfigurationError(
            f"register_{kind.name}({name!r}): the name is taken by {_full_name(other)}.", "Choose another name."
        )
    file = option_file(kind.group, name)
    if file is not None:
        raise ConfigurationError(
            f"register_{kind.name}({name!r}): {kind.group}={name} is the option {file}.", "Choose another name."
        )


def _target_of(kind: Kind, node: Any) -> str | None:
    return (node.get("algorithm_steps") or {}).get("_target_") if kind.name == "algorithm" else node.get("_target_")


def _full_name(component: Any) -> str:
    return f"{component.__module__}.{component.__qualname__}"
