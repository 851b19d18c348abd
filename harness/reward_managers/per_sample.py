"""The reward of a response is the weighted sum of its reward functions' scores."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.errors import ComponentError
from harness.reward_managers.numbers import fault, plain
from harness.reward_managers.sample import RewardResult, RewardSample


@dataclass(frozen=True)
class WeightedFunction:
    """A reward function with its name in ``reward_fn`` and its weight."""

    name: str
    function: Callable[..., Any]
    weight: float = 1.0

    @cached_property
    def parameters(self) -> frozenset[str] | None:
        """What the function takes by name; None where it takes anything."""
        parameters = inspect.signature(self.function).parameters.values()
        anything = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        return None if anything else frozenset(parameter.name for parameter in parameters)


class PerSampleRewardManager:
    """Scores each response by itself.

    Args:
        functions: The reward functions in the order of ``reward_fn``; the first one's ``acc`` (or score) is the
            accuracy that validation reports.
    """

    def __init__(self, functions: list[WeightedFunction]) -> None:
        if not functions:
            raise ComponentError(
                "reward_fn: no reward function is chosen.", "Choose one, as in reward_fn=[exact_match]."
            )
        self.functions = functions

    def score(self, sample: RewardSample) -> RewardResult:
        """Score one response.

        Raises:
            ComponentError: A function returned something that is not a finite number, or an ``acc`` not from 0 to 1.
        """
        total = 0.0
        extra: dict[str, Any] = {}
        for weighted in self.functions:
            value, further = _read(weighted, _call(weighted, sample))
            total += weighted.weight * value
            extra.setdefault("acc", further.pop("acc", value))
            extra.update(further)
            if len(self.functions) > 1:
                extra[f"reward_fn/{weighted.name}"] = value
        return RewardResult(total, extra)


def _call(weighted: WeightedFunction, sample: RewardSample) -> Any:
    columns = {
        "data_source": sample.data_source,
        "ground_truth": sample.ground_truth,
        "extra_info": dict(sample.extra_info),
    }
    takes = weighted.parameters
    taken = {name: value for name, value in columns.items() if takes is None or name in takes}
    with noting(weighted.name):
        result = weighted.function(sample.input_text, sample.response_text, **taken)
        return asyncio.run(result) if inspect.iscoroutine(result) else result


@contextmanager
def noting(name: str) -> Iterator[None]:
    """Have an exception say in which function it was raised."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in reward_fn.{name}")
        raise


def _read(weighted: WeightedFunction, result: Any) -> tuple[float, dict[str, Any]]:
    further = dict(result) if isinstance(result, Mapping) else {}
    if isinstance(result, Mapping) and "score" not in further:
        raise ComponentError(f"reward_fn.{weighted.name} returned a mapping without 'score': {sorted(further)}.")
    value = plain(further.pop("score") if isinstance(result, Mapping) else result)
    wrong = fault(value)
    if wrong:
        raise ComponentError(f"reward_fn.{weighted.name} returned {wrong}.")
    if "acc" in further:
        further["acc"] = _accuracy(weighted, plain(further["acc"]))
    return float(value), further


def _accuracy(weighted: WeightedFunction, value: Any) -> Any:
    wrong = fault(value) or (None if 0 <= value <= 1 else f"{value}")
    if wrong:
        raise ComponentError(
            f"reward_fn.{weighted.name} returned acc = {wrong}.",
            "It says how right a response is, from 0 (wrong) to 1 (right); give other numbers another name.",
        )
    return value
