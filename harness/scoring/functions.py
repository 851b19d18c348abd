"""Reward functions in other processes than the manager that calls them, so that a failure costs a call and no batch."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from harness.reward_managers.per_sample import WeightedFunction, noting

Call = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]


class Functions:
    """What a scoring process holds for a manager that lives in another one.

    Args:
        functions: The reward functions.
    """

    def __init__(self, functions: list[WeightedFunction]) -> None:
        self.functions = {weighted.name: weighted for weighted in functions}
        self.takes = {weighted.name: weighted.parameters for weighted in functions}

    def call(self, call: tuple[str, tuple[Any, ...], dict[str, Any]]) -> Any:
        """What a function returns; a coroutine's result."""
        name, arguments, named = call
        with noting(name):
            result = self.functions[name].function(*arguments, **named)
            return asyncio.run(result) if inspect.iscoroutine(result) else result


class RemoteFunction:
    """A reward function as the manager sees it.

    Args:
        name: The function's in ``reward_fn``.
        takes: The names of its parameters; None where it takes any.
        call: Has it called.
    """

    def __init__(self, name: str, takes: frozenset[str] | None, call: Call) -> None:
        self.name, self.call = name, call
        anything = [inspect.Parameter("named", inspect.Parameter.VAR_KEYWORD)]
        by_name = [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in sorted(takes or ())]
        self.__signature__ = inspect.Signature(anything if takes is None else by_name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Score a response, as the function itself would."""
        return self.call(self.name, arguments, named)
