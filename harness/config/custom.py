"""``advantage_fn=custom advantage_fn.module=PATH_OR_NAME advantage_fn.function=NAME``: becomes a ``_target_``.

Without a function the module's source is searched for one that suits: by its signature, and where several do by the
algorithm's name in theirs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from harness.components.kinds import LOSS_ARGUMENTS
from harness.config.in_process import component_nodes
from harness.config.source import module_source
from harness.errors import ConfigurationError

_SIGNS = {  # what a function or class of a kind is recognised by, any one of each tuple
    "advantage_fn": (("token_level_rewards", "token_level_scores"),),
    "policy_loss": tuple((name,) for name in LOSS_ARGUMENTS[:4]),
    "reward_fn": (("response_text", "solution_str"),),
}
_METHODS = {"reward_manager": {"__call__", "score", "score_batch"}, "manager": {"train"}}  # any one of them


def resolve_custom(config: DictConfig, overrides: Sequence[str], project: Path) -> None:
    """Give every node with a ``module`` its ``_target_``; trust the module where the user named it in this command."""
    algorithm = next((text.partition("=")[2] for text in reversed(overrides) if text.startswith("algorithm=")), "grpo")
    written = {text.lstrip("+").partition("=")[0] for text in overrides}
    for key, node in component_nodes(config):
        if node.get("_target_") or OmegaConf.is_missing(node, "module") or not _named(key, node, "module"):
            continue
        module, name = str(node.module), _named(key, node, "function")
        path = (project / Path(module).expanduser()).resolve() if module.endswith(".py") else None
        source = _source(key, module, path)
        name = name or _suitable(key, module, source, algorithm)
        with open_dict(config):
            node["_target_"] = f"{path}:{name}" if path else f"{module}.{name}"
            node.pop("module")
            node.pop("function", None)
            if f"{key}.module" in written:
                config.trusted_modules = list(dict.fromkeys((*config.trusted_modules, str(path or module))))


def _named(key: str, node: DictConfig, name: str) -> Any:
    try:
        return node.get(name)
    except OmegaConfBaseException as error:
        said = str(error).partition("\n")[0]
        raise ConfigurationError(
            f"{key}.{name}: {said}.", "${…} stands for another key of the configuration: write the path out."
        ) from error


def _source(key: str, module: str, path: Path | None) -> str:
    source = module_source(module) if path is None else path.read_text() if path.is_file() else None
    if source is None:
        what = f"file {path}" if path else f"module {module}"
        raise ConfigurationError(
            f"{key}.module: there is no {what}.", "Give a dotted name, or a path that ends in .py."
        )
    return source


def _suitable(key: str, module: str, source: str, algorithm: str) -> str:
    group = key.partition(".")[0]
    if group not in (*_SIGNS, *_METHODS):
        raise ConfigurationError(f"{key}.module={module}: which of it is meant?", f"Name it: {key}.function=NAME.")
    fitting = [name for name, names in _definitions(source, group) if _fits(group, names)]
    named = [name for name in fitting if algorithm.replace("_", "") in name.lower().replace("_", "")]
    chosen = named if len(fitting) > 1 and len(named) == 1 else fitting
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise ConfigurationError(
            f"{key}.module={module}: nothing in it looks like this kind of component.", f"Name it: {key}.function=NAME."
        )
    raise ConfigurationError(
        f"{key}.module={module}: {', '.join(chosen)} fit equally well for algorithm={algorithm}.",
        f"Name one: {key}.function={chosen[0]}.",
    )


def _definitions(source: str, group: str) -> Iterator[tuple[str, list[str]]]:
    """Public functions with their parameters, or for managers classes with their methods."""
    for node in _parsed(source).body:
        if getattr(node, "name", "_").startswith("_"):
            continue
        if isinstance(node, ast.ClassDef) and group in _METHODS:
            yield node.name, [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and group not in _METHODS:
            arguments = node.args
            yield node.name, [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _parsed(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise ConfigurationError(
            f"A module of custom components is no valid Python: line {error.lineno}: {error.msg}."
        ) from error


def _fits(group: str, names: list[str]) -> bool:
    if group in _METHODS:
        return bool(_METHODS[group] & set(names))
    return all(any(sign in names for sign in signs) for signs in _SIGNS[group])
