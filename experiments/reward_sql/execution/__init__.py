"""Runs SQL that a model wrote, which is hostile until proven otherwise, on SQLite databases that stay as they are."""

from experiments.reward_sql.execution.executor import SqlExecutor
from experiments.reward_sql.execution.result import Limits, Result

__all__ = ["Limits", "Result", "SqlExecutor"]
