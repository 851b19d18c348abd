"""Scores responses in processes of its own; what cannot be scored costs that response and is counted."""

from __future__ import annotations

from harness.records.signs import give_sign
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.scoring.checked import checked
from harness.scoring.failures import Failures
from harness.scoring.pool import Pool
from harness.scoring.process import SampleFailed
from harness.scoring.setup import Limits, Setup


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
        self.failures, self.pool = Failures(limits), Pool(setup, limits.processes)
        self.executor = self.pool.executor

    def score(self, sample: RewardSample) -> RewardResult:
        """Score one response; call it in a thread of `executor`.

        Raises:
            ComponentError: The component is wrong, or a sample failed with ``on_error=stop``.
        """
        give_sign()
        try:
            result = self.pool.ask(sample, self.limits.timeout_seconds)
        except SampleFailed as failure:
            self.failures.note(sample, failure)
            several = self.setup.functions if len(self.setup.functions) > 1 else ()
            return self.failures.result(**{f"reward_fn/{name}": self.limits.score for name in several})
        self.failures.scored += 1
        return checked(result)

    def close(self) -> None:
        """End all processes."""
        self.pool.close()
