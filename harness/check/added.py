"""Keys that the user adds, with ``+key`` or in a file of their own: a misspelt one would be added without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from harness.check.cluster import LAUNCHERS
from harness.check.problem import Problem
from harness.check.schema import verl_schema
from harness.check.values import lookup, verl_defaults
from harness.components.kinds import KINDS
from harness.config.compose import compose_config
from harness.config.suggest import did_you_mean
from harness.config.unknown import OPEN, OPEN_NAMES

# nodes of components: their parameters are checked against the signature
COMPONENTS = (*sorted({kind.group for kind in KINDS.values()} - {"reward_fn", "algorithm"}), "algorithm_steps")


def added_problems(tree: Mapping[str, Any], given: Collection[str], overrides: Sequence[str]) -> Iterator[Problem]:
    """Added keys that nothing reads.

    Args:
        tree: The resolved configuration.
        given: The keys that the user set.
        overrides: The words of the command.
    """
    overriding = {word.partition("=")[0] for word in overrides}  # without +: composing has refused what is not there
    new = [key for key in given if key not in overriding and _may_be_new(key)]
    if not new:
        return
    launcher = lookup(tree, "cluster.launcher")  # named as the option that has its keys
    base = compose_config([f"cluster={launcher}"] if launcher in LAUNCHERS else [])
    engine = verl_defaults(tree)
    for key in new:
        parent, _, name = key.rpartition(".")
        node = _node(base, parent)
        if isinstance(lookup(tree, key), Mapping) and node is not None and name in node:
            continue
        if node is None or not len(node) or name in node or name in (lookup(engine, parent) or {}):
            continue
        if _is_read(str(lookup(tree, f"{parent}._target_") or ""), name):
            continue
        yield Problem(
            "unknown-key", key, f"{key}: nothing reads such a key{f' under {parent}' if parent else ''}.",
            did_you_mean(name, [str(other) for other in node]), lookup(tree, key),
        )  # fmt: skip


def _may_be_new(key: str) -> bool:
    parts = key.split(".")
    inside = any(key == section or key.startswith(f"{section}.") for section in (*OPEN, *COMPONENTS))
    return not inside and not set(parts) & {*OPEN_NAMES, "_target_"}


def _node(base: Any, key: str) -> Any:
    """The section of this name; None where there is none, or it is null."""
    node = base
    for part in key.split(".") if key else ():
        node = node.get(part) if part in node else None
        if not hasattr(node, "keys"):
            return None
    return node


def _is_read(target: str, name: str) -> bool:
    """Whether verl reads the key although its YAML does not have it."""
    schema = verl_schema()
    fields = schema.classes.get(target.rpartition(".")[2], {})
    return name in fields or name in schema.names["read"]
