"""Scores whole batches: the manager in one process, the reward functions that it calls in others.

A function that raises, hangs or eats memory so costs the response that it was called for, as with a manager of single
responses, and not the batch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import ComponentError
from harness.records.signs import give_sign
from harness.reward_managers.matching import FIELDS, Responses
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.scoring.checked import checked
from harness.scoring.failures import Failures
from harness.scoring.pool import Pool
from harness.scoring.process import SampleFailed
from harness.scoring.setup import Limits, Setup


class BatchScoringService:
    """The process of a manager with ``score_batch``, and a pool for its functions.

    Args:
        setup: What is built.
        limits: A call's limits and what a failure costs.

    Raises:
        ComponentError: A component cannot be built.
    """

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self.limits, self.failures = limits, Failures(limits)
        self.failed_calls: list[tuple[str, RewardSample]] = []
        self.last: dict[str, Any] = {}  # what each function gave last
        self.functions = Pool(dataclasses.replace(setup, manager={}, supplied={}, apart=True), limits.processes)
        self.manager = Pool(dataclasses.replace(setup, remote=self.functions.takes), serve=self._call)

    def score_batch(self, samples: Sequence[RewardSample]) -> list[RewardResult]:
        """Score a whole batch.

        Raises:
            ComponentError: The manager failed, or the number of results is not that of the samples; or a response
                failed with ``on_error=stop``.
        """
        self.failed_calls = []
        limit = self.limits.batch_timeout_seconds
        try:
            results = self.manager.executor.submit(self.manager.ask, list(samples), limit).result()
        except SampleFailed as failure:
            raise ComponentError(
                f"reward_manager: a batch of {len(samples)} responses could not be scored: {failure.reason}.",
                "Mend it, or raise scoring.batch_timeout_seconds or scoring.memory_gb.",
            ) from failure
        if not isinstance(results, Sequence) or len(results) != len(samples):
            count = len(results) if isinstance(results, Sequence) else type(results).__name__
            raise ComponentError(f"reward_manager: {count} results came back for {len(samples)} responses.")
        scored = [checked(result) for result in results]
        for row in self._failed_rows(samples):
            scored[row] = self.failures.result(**scored[row].extra)
        return scored

    def close(self) -> None:
        """End all processes."""
        self.manager.close()
        self.functions.close()

    def _call(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """A function's result, or what stands for it where it fails; the manager waits for it."""
        give_sign()
        call, limit = (name, arguments, named), self.limits.timeout_seconds
        try:
            result = self.functions.executor.submit(self.functions.ask, call, limit).result()
        except SampleFailed as failure:
            sample = _sample_of(arguments, named)
            self.failures.note(sample, failure)
            self.failed_calls.append((name, sample))
            return self._stand_in(name)
        self.failures.scored += 1
        self.last[name] = result
        return result

    def _stand_in(self, name: str) -> Any:
        """``scoring.score``, in a mapping like that which the function gives for other responses."""
        last = self.last.get(name)
        if not isinstance(last, Mapping):
            return self.limits.score
        return {
            **{key: "" if isinstance(value, str) else 0.0 for key, value in last.items()},
            "score": self.limits.score,
        }

    def _failed_rows(self, samples: Sequence[RewardSample]) -> set[int]:
        """The responses that calls have failed for.

        Raises:
            ComponentError: With ``on_error=drop``, a call is about none of them, so that no group can be dropped.
        """
        responses, found = Responses(samples), set[tuple[str, int]]()
        for name, call in self.failed_calls:
            given = {field: getattr(call, field) for field in FIELDS if getattr(call, field)}
            row = next((row for row in responses.rows(call.response_text, **given) if (name, row) not in found), None)
            if row is not None:
                found.add((name, row))
            elif self.limits.on_error == "drop":
                raise ComponentError(
                    f"reward_fn.{name} could not score a text that is no response of the batch, so that "
                    "scoring.on_error=drop finds no group to drop.",
                    "Call functions with the response's text in reward_manager, or choose scoring.on_error=zero.",
                )
        return {row for _, row in found}


def _sample_of(arguments: tuple[Any, ...], named: Mapping[str, Any]) -> RewardSample:
    """A call as the response that it is about."""
    given = {**dict(zip(("input_text", "response_text"), arguments, strict=False)), **named}
    known = {name: given[name] for name in FIELDS if name in given}
    text = given.get("response_text", given.get("solution_str", ""))
    return RewardSample(**{"input_text": "", **known, "response_text": str(text)})
