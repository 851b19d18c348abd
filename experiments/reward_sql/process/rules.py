"""Step scores by rules: no model is needed, and the same response has the same scores everywhere.

σ of a step = runs + rows + used + linked, each with a weight, and 0 where the chain up to the step does not run. SQLite
does not look at a CTE that nothing reads, so a step behind one that failed has 0 whatever came of it.

- ``runs``: its result can be computed.
- ``rows``: the result has a row that is not all NULL.
- ``used``: a later step reads it, so that steps which only look busy earn less; the final query is always used.
- ``linked``: the share of the database's tables and columns it reads that the gold query reads too: a chain that runs,
  but on other data than the question's, earns less. 1 where it reads earlier steps alone, 0 where it reads nothing.

The rules look at form and schema, never at the gold's rows: whether the answer is right is EX's to say. The steps of a
wrong chain can have 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.reward_sql.execution import Result
from experiments.reward_sql.sql.chain import Names, Step, names_in, used_later
from harness.errors import ConfigurationError


@dataclass(frozen=True)
class StepRules:
    """Scores steps by rules; the weights should sum to 1.

    Attributes:
        runs, rows, used, linked: Weights, see this module.
    """

    runs: float = 0.4
    rows: float = 0.2
    used: float = 0.2
    linked: float = 0.2

    def __post_init__(self) -> None:
        weights = (self.runs, self.rows, self.used, self.linked)
        if min(weights) < 0 or abs(sum(weights) - 1) > 1e-6:
            raise ConfigurationError(
                f"reward_manager.scorer: the weights {weights} must be at least 0 and sum to 1.",
                "Step scores lie between 0 and 1, as a reward model's do.",
            )

    def score(
        self, question: str, sql: str, steps: Sequence[Step], results: Sequence[Result], gold: str
    ) -> list[float]:
        """A score from 0 to 1 for each step.

        Args:
            question: The prompt; unused.
            sql: The response's SQL.
            steps: Its steps.
            results: What came of each step's ``query``.
            gold: The gold query.
        """
        sound = next((place for place, result in enumerate(results) if not result.ok), len(steps))
        made = {step.table for step in steps if step.name}
        read = [names_in(step.body) for step in steps[:sound]]  # others may be anything, and take for ever to be read
        aliases = frozenset().union(*(names.aliases for names in read))
        wanted = names_in(gold)
        scores = [
            self._score(result, is_used, _linked(names, made, aliases, wanted))
            for names, result, is_used in zip(read, results, used_later(sql, steps), strict=False)
        ]
        return scores + [0.0] * (len(steps) - sound)

    def without_gold(self) -> StepRules:
        """The same without ``linked``, the part that sees the gold query; the other weights sum to 1 again."""
        rest = self.runs + self.rows + self.used
        if rest <= 0:
            raise ConfigurationError(
                f"reward_manager.scorer.linked={self.linked}: without the part of the gold query no weight is left.",
                "Give runs, rows or used a weight, so that responses can be chosen without the gold query.",
            )
        return StepRules(self.runs / rest, self.rows / rest, self.used / rest, 0.0)

    def _score(self, result: Result, used: bool, linked: float) -> float:
        rows = any(value is not None for row in result.rows for value in row)
        return self.runs + self.rows * rows + self.used * used + self.linked * linked


def _linked(read: Names, made: set[str], aliases: frozenset[str], wanted: Names) -> float:
    """The share of what a step reads of the database that the gold query reads too.

    Args:
        read: What the step names.
        made: Tables that are steps.
        aliases: Columns that the chain itself names.
        wanted: What the gold query names.
    """
    tables = read.tables - made
    columns = {name for name in read.columns if name not in aliases or name in wanted.columns}
    right = len(tables & wanted.tables) + len(columns & wanted.columns)
    if tables or columns:
        return right / (len(tables) + len(columns))
    return float(bool(read.tables))
