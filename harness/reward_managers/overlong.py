"""DAPO's overlong shaping (arXiv:2503.14476, equation 13): responses near the limit lose up to ``penalty``."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from harness.errors import ComponentError
from harness.reward_managers.per_sample import PerSampleRewardManager, WeightedFunction
from harness.reward_managers.sample import RewardResult, RewardSample


class OverlongRewardManager(PerSampleRewardManager):
    """Scores each response by itself, then adds min((L − B − length) / B, 0) · penalty.

    ``acc`` stays what the reward functions say, so that dynamic sampling by ``acc`` does not see the shaping.

    Args:
        functions: The reward functions in the order of ``reward_fn``.
        max_response_length: L, tokens.
        buffer_length: B, tokens before L in which the penalty grows from 0; null for a fifth of L, as in the paper.
        penalty: What a response of L tokens loses.
    """

    def __init__(
        self,
        functions: list[WeightedFunction],
        max_response_length: Annotated[int, Ge(1)],
        buffer_length: Annotated[int, Ge(1)] | None = None,
        penalty: Annotated[float, Ge(0)] = 1.0,
    ) -> None:
        super().__init__(functions)
        self.limit = max_response_length
        self.buffer = max(1, max_response_length // 5) if buffer_length is None else buffer_length
        self.penalty = penalty
        if not 0 < self.buffer <= self.limit:
            raise ComponentError(
                f"reward_manager.buffer_length={self.buffer}: between 1 and max_response_length={self.limit} is needed."
            )

    def score(self, sample: RewardSample) -> RewardResult:
        """Score one response; ``overlong_penalty`` (at most 0) is logged beside the rest."""
        result = super().score(sample)
        shaping = min((self.limit - self.buffer - sample.response_length) / self.buffer, 0.0) * self.penalty
        return RewardResult(result.score + shaping, {**result.extra, "overlong_penalty": shaping})
