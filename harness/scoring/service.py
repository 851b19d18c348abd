"""Scores responses in processes of its own; what cannot be scored costs that response and is counted."""

from __future__ import annotations

import dataclasses
import logging
import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from harness.errors import ComponentError
from harness.records.signs import give_sign
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.scoring.process import SampleFailed, ScoringProcess
from harness.scoring.setup import Limits, Setup

logger = logging.getLogger(__name__)
FAILED = "scoring_failed"  # in a result's extra: 1 where the response could not be scored
HOPELESS = 16  # failures without a single success, after which it is the function and not the response
_SHOWN = 200  # characters of a text in the log


class ScoringService:
    """A pool of scoring processes; `score` is called from threads of `executor`, each with a process of its own.

    Args:
        setup: What the processes build.
        limits: A sample's limits and what a failure costs.

    Raises:
        ComponentError: A component cannot be built.
    """

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self.setup, self.limits = setup, limits
        self.executor = ThreadPoolExecutor(max_workers=limits.processes, thread_name_prefix="scoring")
        self.own = threading.local()
        self.scored = self.failed = 0
        self.whole_batches = self.executor.submit(self._process).result().method == "score_batch"

    def score(self, sample: RewardSample) -> RewardResult:
        """Score one response; call it in a thread of `executor`.

        Raises:
            ComponentError: The component is wrong, or a sample failed with ``on_error=stop``.
        """
        give_sign()
        try:
            result = self._process().ask(sample, self.limits.timeout_seconds)
        except SampleFailed as failure:
            return self._failed(sample, failure)
        self.scored += 1
        return _checked(result)

    def score_batch(self, samples: Sequence[RewardSample]) -> list[RewardResult]:
        """Score a whole batch with a manager that wants it.

        Raises:
            ComponentError: It failed as a whole, or the number of results is not that of the samples.
        """
        limit = self.limits.batch_timeout_seconds
        try:
            results = self.executor.submit(lambda: self._process().ask(list(samples), limit)).result()
        except SampleFailed as failure:
            raise ComponentError(
                f"reward_manager: a batch of {len(samples)} responses could not be scored: {failure.reason}.",
                "Mend it, or raise scoring.batch_timeout_seconds or scoring.memory_gb.",
            ) from failure
        if not isinstance(results, Sequence) or len(results) != len(samples):
            count = len(results) if isinstance(results, Sequence) else type(results).__name__
            raise ComponentError(f"reward_manager: {count} results came back for {len(samples)} responses.")
        return [_checked(result) for result in results]

    def close(self) -> None:
        """End all processes."""
        self.executor.shutdown(wait=True)

    def _process(self) -> ScoringProcess:
        current: ScoringProcess | None = getattr(self.own, "process", None)
        if current is None or current.closed:
            current = self.own.process = ScoringProcess(self.setup)
        return current

    def _failed(self, sample: RewardSample, failure: SampleFailed) -> RewardResult:
        what = (
            f"reward_fn: a response could not be scored: {failure.reason}. Its data_source is {sample.data_source!r}, "
            f"ground truth {_short(sample.ground_truth)}, text {_short(sample.response_text)}."
        )
        self.failed += 1
        if self.limits.on_error == "stop":
            raise ComponentError(what, "Mend the function, or let such responses cost 0: scoring.on_error=zero.")
        if not self.scored and self.failed >= HOPELESS:
            raise ComponentError(
                f"reward_fn: none of the first {self.failed} responses could be scored. The last one: {what}",
                "Mend the function; a reward that always fails teaches nothing.",
            )
        logger.warning("%s scoring.on_error=%s", what, self.limits.on_error)
        extra: dict[str, Any] = {"acc": 0.0, FAILED: 1.0}
        if len(self.setup.functions) > 1:
            extra |= {f"reward_fn/{name}": self.limits.score for name in self.setup.functions}
        return RewardResult(self.limits.score, extra)


def _checked(result: Any) -> RewardResult:
    """A reward manager's result, marked as one that did not fail.

    Raises:
        ComponentError: It is none, or a reward is no finite number.
    """
    if not isinstance(result, RewardResult):
        raise ComponentError(f"reward_manager: {result!r} came back for a response, not a RewardResult.")
    rewards: list[Any] = [result.score, *(result.token_rewards or ()), *(segment.reward for segment in result.segments)]
    wrong = [reward for reward in rewards if isinstance(reward, str) or not math.isfinite(reward)]
    if wrong:
        raise ComponentError(f"reward_manager: it gave a reward of {wrong[0]!r}, not a finite number.")
    return dataclasses.replace(result, extra={**result.extra, FAILED: 0.0})


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
