"""What this process has registered, with `harness.registry`'s decorators: kind → name → component."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from harness.components.kinds import KINDS, Kind

PLAIN = (bool, int, float, str, list, dict, type(None))


@dataclass(frozen=True)
class Registered:
    """A registered component.

    Attributes:
        kind: Its kind.
        name: The name it is registered under.
        component: The function or class.
        base: What an algorithm builds on.
    """

    kind: Kind
    name: str
    component: Any
    base: str = "grpo"

    def parameters(self) -> dict[str, Any]:
        """Its parameters with a default that YAML can say."""
        return {
            each.name: each.default
            for each in inspect.signature(self.component).parameters.values()
            if isinstance(each.default, PLAIN)
        }


_registered: dict[str, dict[str, Registered]] = {}


def add(registered: Registered) -> None:
    """Register it, in place of one that has its name."""
    _registered.setdefault(registered.kind.name, {})[registered.name] = registered


def of_kind(kind_name: str) -> dict[str, Registered]:
    """Name → what is registered under it."""
    return dict(_registered.get(kind_name, {}))


def everything() -> list[Registered]:
    """All of it, kind by kind."""
    return [each for kind_name in KINDS for each in of_kind(kind_name).values()]
