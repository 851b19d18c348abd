"""What becomes of a response that cannot be scored: it is named in the log, counted, and costs what was agreed."""

from __future__ import annotations

import logging
from typing import Any

from harness.errors import ComponentError
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.scoring.process import SampleFailed
from harness.scoring.setup import Limits

logger = logging.getLogger(__name__)
FAILED = "scoring_failed"  # in a result's extra: 1 where the response could not be scored
HOPELESS = 16  # failures without a single success, after which it is the function and not the response
_SHOWN = 200  # characters of a text in the log


class Failures:
    """Counts a service's successes and failures.

    Args:
        limits: What a failure costs.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.scored = self.failed = 0

    def note(self, sample: RewardSample, failure: SampleFailed) -> None:
        """Log one, and count it.

        Raises:
            ComponentError: It is to stop the run (``on_error=stop``), or nothing has been scored yet.
        """
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

    def result(self, **extra: Any) -> RewardResult:
        """What the response gets, with ``extra`` to log."""
        return RewardResult(self.limits.score, {**extra, "acc": 0.0, FAILED: 1.0})


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
