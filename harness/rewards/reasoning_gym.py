"""Reward by reasoning-gym's own scorer of the task that a prompt comes from.

The rows must come from ``harness.data.reasoning_gym``: they carry, in ``extra_info["reasoning_gym"]``, what the scorer
needs. Library: https://github.com/open-thought/reasoning-gym
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from harness.errors import UnscorableSample
from harness.rewards.extract import Rule, extract_answer

logger = logging.getLogger(__name__)
# What scorers raise on answers they did not expect. A sound entry raises none: the data recipe tries one of each task.
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, SyntaxError, RecursionError)
Scorer = Callable[[str | None, dict[str, Any]], float]


def reasoning_gym(
    input_text: str,
    response_text: str,
    *,
    ground_truth: str,
    extra_info: Mapping[str, Any],
    extract: Rule = "auto",
    partial_credit: bool = True,
) -> dict[str, float]:
    """Score the answer extracted from the response.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response, junk included.
        ground_truth: The reference answer; the rule ``auto`` looks at whether it is a number.
        extra_info: The row's own, with the JSON text of the task's entry under ``reasoning_gym``.
        extract: How the answer is found in the response, see ``harness.rewards.extract.extract_answer``.
        partial_credit: Whether ``score`` is what the scorer gives, which for many tasks has values between 0 and 1;
            otherwise it is ``acc``.

    Returns:
        ``score`` and ``acc``; ``acc`` is 1 where the scorer gives full marks, else 0.

    Raises:
        UnscorableSample: The row was not made by ``harness.data.reasoning_gym``.
    """
    record = extra_info.get("reasoning_gym")
    if not record:
        raise UnscorableSample(
            f"the row has no extra_info['reasoning_gym'] (it has {sorted(extra_info)}), "
            "so reasoning-gym's scorer does not know its task.",
            "Make the data with data=reasoning_gym, or choose another reward, such as reward_fn=[exact_match].",
        )
    task = json.loads(record)
    answer = extract_answer(response_text, extract, str(ground_truth))
    score = _score(task, answer)
    acc = float(score >= 1.0)
    return {"score": score if partial_credit else acc, "acc": acc}


def _score(task: dict[str, Any], answer: str | None) -> float:
    """What the library gives the answer; 0 where its scorer cannot read it, as some do not expect free text."""
    judge = scorer(task["name"], json.dumps(task["config"], sort_keys=True))
    try:
        return float(judge(answer, task["entry"]))
    except UNREADABLE as error:
        logger.debug("the scorer of %s cannot read %r: %r", task["name"], answer, error)
        return 0.0


@lru_cache(maxsize=256)
def scorer(name: str, config: str) -> Scorer:
    """The scorer of a task with its configuration, given as JSON text so that it can be cached."""
    from reasoning_gym import create_dataset  # slow to import, and needed only where rewards are computed

    return create_dataset(name, **json.loads(config)).score_answer
