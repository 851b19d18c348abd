"""Rows of text-to-SQL in the columns that verl and the reward functions read."""

from __future__ import annotations

from typing import Any

from harness.data.parquet import Row


def sql_row(
    *,
    identity: str,
    source: str,
    db_id: str,
    question: str,
    sql: str,
    messages: list[dict[str, str]],
    index: int,
    split: str,
    **extra: Any,
) -> Row:
    """One question.

    Args:
        identity: Its name in the data set.
        source: What verl reports validation by.
        db_id: Its database, ``databases/<db_id>/<db_id>.sqlite``.
        question: The question alone.
        sql: The gold SQL.
        messages: The prompt as a chat.
        index: Position in its split.
        split: Name of its split.
        extra: Further entries of ``extra_info``.
    """
    return {
        "id": identity,
        "db_id": db_id,
        "data_source": source,
        "prompt": messages,
        "ability": "sql",
        "reward_model": {"style": "rule", "ground_truth": sql},
        "extra_info": {
            "question": question,
            "db_id": db_id,
            "idx": index,
            "index": index,  # verl's name for it
            "split": split,
            "answer": sql,
            **extra,
        },
    }
