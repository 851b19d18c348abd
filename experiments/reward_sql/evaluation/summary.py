"""From answers to the tables of an evaluation: by what the prompts belong to, and by how many responses are drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.reward_sql.evaluation.answers import GROUPS, Answer
from experiments.reward_sql.evaluation.figures import STRATEGIES, best_of, ks, pass_at
from harness.report.statistics import mean_interval

MOST_IN_A_GROUP = 30  # different values, after which a table by them says nothing
SOURCE, DIFFICULTY = "data_source", "difficulty"
Table = list[dict[str, Any]]


def summary(greedy: Sequence[Answer], sampled: Sequence[Answer]) -> dict[str, Any]:
    """All figures, ready to be written as JSON.

    Args:
        greedy: One response a prompt.
        sampled: Several responses a prompt, equally many each; may be empty.
    """
    return {
        "greedy": {"all": share(greedy), **by_groups(greedy, share)},
        "sampled": {
            "all": by_k(sampled),
            **by_groups(sampled, lambda answers: by_k(answers)[-1:]),
            **by_groups(sampled, by_k, [SOURCE]),
        },
    }


def share(answers: Sequence[Answer]) -> dict[str, float]:
    """How many are right, run and find nothing, of how many; the share of right ones with its 95 % interval."""
    if not answers:
        return {"prompts": 0}
    right = mean_interval(np.array([float(each.right) for each in answers]), np.random.default_rng(0))
    ran = [each.result for each in answers if each.result is not None and each.result.ok]
    return {
        "prompts": len(answers),
        "execution_match": right.value,
        "low": right.low,
        "high": right.high,
        "runs": len(ran) / len(answers),
        "empty": sum(not result.rows for result in ran) / len(answers),
        "process_score": float(np.mean([np.mean(each.scores) for each in answers])),
    }


def by_groups(
    answers: Sequence[Answer], figures: Callable[[list[Answer]], Any], groups: Sequence[str] = GROUPS
) -> dict[str, dict[str, Any]]:
    """The figures for each value of each group; groups of one value, or too many, left out.

    Difficulties are those of one source each: held-out templates and held-out databases are not to be pooled.
    """
    several = len({each.groups.get(SOURCE) for each in answers}) > 1
    tables = {}
    for name in groups:
        parts = (SOURCE, name) if several and name == DIFFICULTY else (name,)
        found: dict[str, list[Answer]] = defaultdict(list)
        for each in answers:
            if all(part in each.groups for part in parts):
                found[" · ".join(each.groups[part] for part in parts)].append(each)
        if 1 < len(found) <= MOST_IN_A_GROUP:
            tables[" × ".join(parts)] = {value: figures(found[value]) for value in sorted(found)}
    return tables


def by_k(answers: Sequence[Answer]) -> Table:
    """pass@k and best of k, by each way to make one score of the steps', which see nothing of the gold query."""
    prompts: dict[int, list[Answer]] = defaultdict(list)
    for each in answers:
        prompts[each.index].append(each)
    samples = min((len(group) for group in prompts.values()), default=0)
    table: Table = []
    for k in ks(samples) if samples else ():
        row: dict[str, Any] = {
            "k": k,
            "pass": float(np.mean([pass_at(_right(group), k) for group in prompts.values()])),
        }
        for name, strategy in STRATEGIES.items():
            chosen = [
                best_of(_right(group), [strategy(answer.choice_scores) for answer in group], k)
                for group in prompts.values()
            ]
            row[name] = float(np.mean(chosen))
        table.append(row)
    return table


def _right(group: Sequence[Answer]) -> list[bool]:
    return [each.right for each in group]
