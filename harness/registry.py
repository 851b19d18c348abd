"""Components by name: decorators that register them, and look-up.

A decorated name is selectable on the command line, ``reward_fn=my_reward plugins=[my_module]``: there the module's
source is read and nothing is imported before the component runs (`harness.config.plugins`). Modules in ``experiments/``
are found by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from omegaconf import OmegaConf

from harness.components import registered
from harness.components.instantiate import locate
from harness.components.kinds import KINDS, Kind
from harness.components.places import code_of, full_name, is_again, place_of
from harness.components.registered import Registered
from harness.config.bases import require_base
from harness.config.catalogue import catalogue, option_file
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError

Component = TypeVar("Component", bound=Callable[..., Any])


def register(kind_name: str, name: str | None = None, base: str = "grpo") -> Callable[[Component], Component]:
    """A decorator for components of a kind.

    Args:
        kind_name: One of `KINDS`.
        name: The component's name; its own if not given.
        base: For algorithms, the option they build on.

    Raises:
        ConfigurationError: The kind or the base is not known, the name is none, another component has it, or the
            component does not fit the kind. A definition that is run again (a module reloaded, a notebook's cell) takes
            the earlier one's place.
    """
    if name is not None and not isinstance(name, str):
        raise ConfigurationError(
            f"register_{kind_name}({name!r}): a name is needed, as text.",
            f"Write @register_{kind_name}(), with parentheses, for that of the function or class itself.",
        )
    if kind_name not in KINDS:
        raise ConfigurationError(f"There is no kind of component {kind_name!r}.", did_you_mean(kind_name, list(KINDS)))
    kind = KINDS[kind_name]

    def decorate(component: Component) -> Component:
        chosen = name or getattr(component, "__name__", "")
        if not chosen:
            raise ConfigurationError(f"register_{kind.name}({name!r}): {component!r} needs a name, as text.")
        _require_free(kind, chosen, component)
        problem = kind.problem(component)
        if problem:
            raise ConfigurationError(
                f"register_{kind.name}({chosen!r}): {full_name(component)} does not fit: {problem}."
            )
        if kind.name == "algorithm":
            require_base(f"register_algorithm({chosen!r})", chosen, base, registered.of_kind("algorithm"))
        registered.add(Registered(kind, chosen, component, base))
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
    return register("algorithm", name, base)


def register_manager(name: str | None = None) -> Callable[[Component], Component]:
    """A subclass of `harness.managers.base.BaseTrainingManager`."""
    return register("manager", name)


def get(kind_name: str, name: str) -> Any:
    """A component by name: a registered one, else the target of the option ``conf/<group>/<name>.yaml``.

    Raises:
        ConfigurationError: There is none.
    """
    kind = KINDS[kind_name]
    if found := registered.of_kind(kind_name).get(name):
        return found.component
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
    return {name: sorted({*registered.of_kind(name), *options.get(kind.group, {})}) for name, kind in KINDS.items()}


def _require_free(kind: Kind, name: str, component: Any) -> None:
    other = registered.of_kind(kind.name).get(name)
    if other is not None and not is_again(component, other.component):
        code = code_of(component)
        remedy = "Choose another name."
        if code is not None and code is code_of(other.component):
            remedy = "It is made there several times, with other values: give each a name of its own."
        raise ConfigurationError(
            f"register_{kind.name}({name!r}): the name is taken by {place_of(other.component)}; this is "
            f"{place_of(component)}.",
            remedy,
        )
    file = option_file(kind.group, name)
    if file is not None:
        raise ConfigurationError(
            f"register_{kind.name}({name!r}): {kind.group}={name} is the option {file}.", "Choose another name."
        )


def _target_of(kind: Kind, node: Any) -> str | None:
    return (node.get("algorithm_steps") or {}).get("_target_") if kind.name == "algorithm" else node.get("_target_")
