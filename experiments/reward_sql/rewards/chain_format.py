"""The form that Reward-SQL asks for: one chain of CTEs with a final query, and nothing else.

Every CTE has to be read by a later step: SQLite does not look at one that is not, so that anything could stand there.
"""

from __future__ import annotations

from experiments.reward_sql.sql.chain import is_chain, steps_of, used_later
from experiments.reward_sql.sql.response import find_sql


def sql_chain(
    input_text: str, response_text: str, *, only: bool = True, ends: bool = True, most_steps: int = 0
) -> dict[str, float]:
    """Look for ``WITH c1 AS (…), c2 AS (…) SELECT …;``, in a fence or not.

    Args:
        input_text: The prompt; unused.
        response_text: The decoded response.
        only: Whether nothing may stand outside the SQL and its fence.
        ends: Whether a semicolon must end it.
        most_steps: Steps allowed, the final query among them; 0: any number.

    Returns:
        ``score``, 0 or 1, and ``sql/steps``, the number of steps.
    """
    found = find_sql(response_text)
    steps = steps_of(found.text) if found else ()
    right = found is not None and is_chain(steps) and all(used_later(found.text, steps))
    if right and found is not None:
        right = not (only and found.outside) and not (ends and not found.text.endswith(";"))
        right = right and (not most_steps or len(steps) <= most_steps)
    return {"score": float(right), "sql/steps": float(len(steps))}
