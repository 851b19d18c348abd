"""A ``_target_`` node becomes a component, in the process where it runs.

Only objects that are defined under a trusted prefix may be named: ``harness.config.os.system`` is reached through a
trusted module but is defined in ``posix``, so it is refused. Nothing outside the prefixes is imported to find that out.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from harness.components import by_value, files
from harness.components.kinds import kind_of
from harness.errors import ComponentError, HarnessError

TRUSTED = ("harness.", "experiments.", "verl.")


def instantiate(node: Mapping[str, Any] | DictConfig, key: str, trusted: Sequence[str] = (), **extra: Any) -> Any:
    """Build the component a node describes.

    A class is called with the node's parameters; a function gets them bound and is returned, ready to be called with
    the rest. Nodes nested in the parameters are built first.

    Args:
        node: Mapping with ``_target_`` and the component's parameters.
        key: Where the node stands in the configuration, for messages.
        trusted: Prefixes the user trusts besides `TRUSTED`.
        extra: Parameters the caller supplies to classes that take them; a node may not give them.

    Raises:
        ComponentError: The target is untrusted, cannot be imported, or its parameters do not fit its signature.
    """
    plain = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else dict(node)
    target = plain.pop("_target_", None)
    if not isinstance(target, str):
        raise ComponentError(f"{key}._target_: a dotted name is needed, not {target!r}.")
    component = component_of({**plain, "_target_": target}, key, trusted)
    if target == by_value.TARGET:
        del plain["code"]
    parameters = {name: _build_nested(value, f"{key}.{name}", trusted) for name, value in plain.items()}
    for name in extra:
        if name in parameters:
            raise ComponentError(f"{key}.{name} is supplied by the harness.", "Take it out of the configuration.")
    _require_kind(component, key, target)
    if inspect.isclass(component):
        supplied = {name: value for name, value in extra.items() if _accepts(component, name)}
        _check_binding(component, {**supplied, **parameters}, key, target, partial=False)
        return _call(component, {**supplied, **parameters}, key, target)
    _check_binding(component, parameters, key, target, partial=True)
    return functools.partial(component, **parameters) if parameters else component


def component_of(node: Mapping[str, Any], key: str, trusted: Sequence[str] = ()) -> Callable[..., Any]:
    """The class or function a node names, not called: by its ``_target_``, or by value.

    Raises:
        ComponentError: See `instantiate`.
    """
    target = str(node["_target_"])
    if target != by_value.TARGET:
        return locate(target, key, trusted)
    if by_value.TRUST not in trusted:
        raise ComponentError(
            f"{key}._target_: an object that travels by value is only taken from a script of your own.",
            "Put it into a module, and name that.",
        )
    return by_value.decode(str(node["code"]))


def locate(target: str, key: str, trusted: Sequence[str] = ()) -> Callable[..., Any]:
    """Import the object a dotted name stands for, if it may be named at all.

    Raises:
        ComponentError: See `instantiate`.
    """
    if not is_trusted(target, trusted):
        file = files.split_target(target)
        raise ComponentError(
            f"{key}._target_: {target} is outside the trusted modules ({', '.join(_trusted_names(trusted))}).",
            "If you trust it, add it on the command line: "
            f"trusted_modules=[{file[0] if file else target.split('.')[0]}].",
        )
    found = _import(target, key)
    if found is by_value.decode:  # under whatever name
        raise ComponentError(f"{key}._target_: {target} is no component.")
    home = getattr(found, "__module__", None) or ""
    if not (home.startswith(files.PREFIX) or is_trusted(f"{home}.", trusted)):
        raise ComponentError(
            f"{key}._target_: {target} is defined in {home or 'an unknown module'}, which is not trusted.",
            "Name a class or function of a trusted module.",
        )
    if not callable(found):
        raise ComponentError(f"{key}._target_: {target} is a {type(found).__name__}, not a class or function.")
    return found


def is_trusted(target: str, trusted: Sequence[str] = ()) -> bool:
    """Whether a dotted name, or a file's ``PATH.py:NAME``, lies under a trusted prefix."""
    file = files.split_target(target)
    if file is not None:
        return str(file[0]) in trusted
    return target.startswith((*TRUSTED, *(prefix if prefix.endswith(".") else f"{prefix}." for prefix in trusted)))


def _trusted_names(trusted: Sequence[str]) -> list[str]:
    return [*(prefix[:-1] for prefix in TRUSTED), *trusted]


def _require_kind(component: Any, key: str, target: str) -> None:
    """A group takes components of its kind alone, not whatever can be called."""
    kind = kind_of(key)
    problem = kind.problem(component) if kind else None
    if problem:
        raise ComponentError(f"{key}._target_: {target} does not fit: {problem}.")


def _import(target: str, key: str) -> Any:
    file = files.split_target(target)
    if file is not None:
        module = files.module_from(file[0], f"{key}._target_")
        if not hasattr(module, file[1]):
            raise ComponentError(
                f"{key}._target_: {file[0]} has no {file[1]!r}.", _suggest(file[1], list(vars(module)))
            )
        return getattr(module, file[1])
    module_name, _, attribute = target.rpartition(".")
    owner_path: list[str] = [attribute]
    while module_name:
        try:
            found: Any = importlib.import_module(module_name)
            break
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise _import_failed(target, key, error) from error
            module_name, _, parent = module_name.rpartition(".")
            owner_path.insert(0, parent)
        except Exception as error:
            raise _import_failed(target, key, error) from error
    else:
        raise ComponentError(f"{key}._target_: there is no module {target.split('.')[0]!r} for {target}.")
    for position, name in enumerate(owner_path):
        if not hasattr(found, name):
            public = [option for option in vars(found) if not option.startswith("_")]
            where = ".".join([module_name, *owner_path[:position]])
            raise ComponentError(f"{key}._target_: {where} has no {name!r}.", _suggest(name, public))
        found = getattr(found, name)
    return found


def _import_failed(target: str, key: str, error: Exception) -> ComponentError:
    return ComponentError(
        f"{key}._target_: importing {target} failed with {type(error).__name__}: {error}",
        "Mend the module or install what it needs.",
    )


def _suggest(name: str, options: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, options, n=3)
    return f"Did you mean {' or '.join(close)}?" if close else f"It has: {', '.join(sorted(options)[:20])}."


def _build_nested(value: Any, key: str, trusted: Sequence[str]) -> Any:
    if isinstance(value, (Mapping, DictConfig)):
        if "_target_" in value:
            return instantiate(value, key, trusted)
        return {name: _build_nested(item, f"{key}.{name}", trusted) for name, item in value.items()}
    if isinstance(value, (list, tuple, ListConfig)):
        return [_build_nested(item, f"{key}[{index}]", trusted) for index, item in enumerate(value)]
    return value


def _accepts(component: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(component).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _check_binding(
    component: Callable[..., Any], given: Mapping[str, Any], key: str, target: str, partial: bool
) -> None:
    signature = inspect.signature(component)
    names = [p.name for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        for name in given:
            if name not in names:
                raise ComponentError(f"{key}.{name}: {target} takes no parameter {name!r}.", _suggest(name, names))
    if partial:
        return
    try:
        signature.bind(**given)
    except TypeError as error:
        raise ComponentError(f"{key}: {target} cannot be called: {error}.", f"Its signature is {signature}.") from error


def _call(component: Callable[..., Any], parameters: Mapping[str, Any], key: str, target: str) -> Any:
    try:
        return component(**parameters)
    except HarnessError:
        raise
    except Exception as error:
        message = f"{key}: {target} could not be built: {type(error).__name__}: {error}"
        raise ComponentError(message, "See the parameters given to it.") from error
