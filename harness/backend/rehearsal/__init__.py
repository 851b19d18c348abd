"""What a training would meet first, tried on this machine without a GPU: tokenizer, data, reward, loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.backend.rehearsal.data import rehearse_data
from harness.backend.rehearsal.model import rehearse_model
from harness.backend.rehearsal.outcome import Outcome
from harness.backend.rehearsal.reward import rehearse_reward
from harness.backend.rehearsal.step import GROUPS, rehearse_step

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from harness.check.problem import Problem


def rehearse(config: DictConfig) -> tuple[list[tuple[str, str]], list[Problem]]:
    """Every part, each as far as the ones before it allow.

    Args:
        config: A resolved configuration, with its models and data there.

    Returns:
        What was seen, ``(part, text)``, and what is wrong.
    """
    outcome = Outcome()
    tokenizer = rehearse_model(config, outcome)
    rows = rehearse_data(config, tokenizer, outcome)
    if tokenizer is not None and rows:
        rehearse_reward(config, tokenizer, rows, outcome)
    else:
        outcome.say("reward", "not tried: it needs the tokenizer and a row of the data")
    rehearse_step(config, [{**row, "raw_prompt": row.get(config.data.prompt_key)} for row in rows[:GROUPS]], outcome)
    return outcome.lines, outcome.problems
