"""Process rewards of Reward-SQL (arXiv:2505.04671): r_t = rm_coef · σ_step + reward_coef · EX on every token of a step.

Every step of the chain is executed and scored (σ, 0 to 1). EX, the outcome, is the weighted sum of the reward functions
and stands on all tokens; where ``rm_coef`` is 0, no step is scored and it stands on the last token alone. The steps
cover the whole response: what stands before the SQL belongs to the first one, what follows it and the end token to the
last. A response without SQL is one step with σ = 0.

A step's tokens share its reward undivided, so that the sum of a response's rewards grows with its length: an advantage
that goes by tokens is meant for them, such as ``advantage_fn=sql_average_unique``, not GRPO's, which sums.
"""

from __future__ import annotations

from typing import Any, Protocol

from experiments.reward_sql.databases import database_of, open_databases, step_results
from experiments.reward_sql.execution import Result
from experiments.reward_sql.process.rules import StepRules
from experiments.reward_sql.sql.chain import Step, steps_of
from experiments.reward_sql.sql.response import find_sql
from harness.reward_managers.per_sample import PerSampleRewardManager, WeightedFunction
from harness.reward_managers.sample import RewardResult, RewardSample, Segment


class StepScorer(Protocol):
    """Gives each step of a response a score from 0 to 1."""

    def score(self, question: str, sql: str, steps: tuple[Step, ...], results: list[Result], gold: str) -> list[float]:
        """See `StepRules.score`."""


class SqlProcessRewardManager(PerSampleRewardManager):
    """Scores each response by itself, and each step of it.

    Args:
        functions: The reward functions in the order of ``reward_fn``; their weighted sum is EX above.
        databases: Folder that holds ``<db_id>/<db_id>.sqlite``.
        scorer: What scores steps; rules if not given.
        rm_coef: Weight of a step's score.
        reward_coef: Weight of the outcome.
        seconds: Longest time a step may take to be executed.

    Attributes:
        by_token: Ends of the names of the advantages that are meant for a reward on every token; with others of this
            project `harness check` warns.
    """

    by_token = ("average_unique", "avg_unique", "token_wise", "token_wise_advantage")

    def __init__(
        self,
        functions: list[WeightedFunction],
        databases: str,
        scorer: StepScorer | None = None,
        rm_coef: float = 1.0,
        reward_coef: float = 1.0,
        seconds: float = 5.0,
    ) -> None:
        super().__init__(functions)
        self.databases, self.seconds = databases, seconds
        self.scorer: StepScorer = scorer or StepRules()
        self.rm_coef, self.reward_coef = rm_coef, reward_coef

    def score(self, sample: RewardSample) -> RewardResult:
        """Score one response.

        Returns:
            Its ``score`` is the weighted outcome alone, which validation reports. ``process/score`` is the mean of
            the steps' scores, ``process/least`` the least of them, ``process/steps`` their number.
        """
        outcome = super().score(sample)
        score = self.reward_coef * outcome.score
        if self.rm_coef == 0:
            return RewardResult(score, outcome.extra)
        ends, scores = self._steps(sample)
        starts = (0, *ends[:-1])
        segments = tuple(
            Segment(start, end, self.rm_coef * value, every_token=True)
            for start, end, value in zip(starts, ends, scores, strict=True)
        )
        extra: dict[str, Any] = {
            **outcome.extra,
            "process/score": sum(scores) / len(scores),
            "process/least": min(scores),
            "process/steps": float(len(scores)),
        }
        everywhere = (score,) * sample.response_length
        return RewardResult(score, extra, everywhere, segments if sample.response_text else ())

    def _steps(self, sample: RewardSample) -> tuple[tuple[int, ...], list[float]]:
        """Where each step ends in the response, and its score."""
        found = find_sql(sample.response_text)
        if found is None:
            return (len(sample.response_text),), [0.0]
        steps = steps_of(found.text)
        executor, db_id = open_databases(self.databases, self.seconds), database_of(sample.extra_info)
        results = step_results(executor, db_id, steps)
        scores = self.scorer.score(sample.input_text, found.text, steps, results, str(sample.ground_truth))
        ends = (*(found.start + step.end for step in steps[:-1]), len(sample.response_text))
        return ends, scores
