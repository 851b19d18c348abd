"""Rows in the columns that verl reads, and their parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

Row = dict[str, Any]
ROWS_AT_ONCE = 10_000


def make_row(
    *,
    source: str,
    messages: list[dict[str, str]],
    ability: str,
    ground_truth: str,
    index: int,
    split: str,
    **extra: Any,
) -> Row:
    """One prompt in verl's columns.

    Args:
        source: Name of the task; verl reports validation per source.
        messages: The prompt as a chat, [{role, content}, …].
        ability: A broader kind than the source, such as ``arithmetic``.
        ground_truth: The reference answer, given to the reward function.
        index: Position in its split.
        split: ``train`` or ``validation``.
        extra: Further entries of ``extra_info``, for the reward function.
    """
    return {
        "data_source": source,
        "prompt": messages,
        "ability": ability,
        "reward_model": {"style": "rule", "ground_truth": ground_truth},
        "extra_info": {"index": index, "split": split, **extra},
    }


def write_splits(path: Path, splits: Mapping[str, Sequence[Row]]) -> None:
    """Write ``<split>.parquet`` for each split into the folder."""
    import pyarrow
    from pyarrow import parquet

    for split, rows in splits.items():
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path / f"{split}.parquet")


def write_stream(file: Path, rows: Iterable[Row]) -> None:
    """Write rows, all with the same columns, without holding them all; no file where there is none."""
    import pyarrow
    from pyarrow import parquet

    stream = iter(rows)
    first = list(islice(stream, ROWS_AT_ONCE))
    if not first:
        return
    table = pyarrow.Table.from_pylist(first)
    with parquet.ParquetWriter(file, table.schema) as writer:
        while table.num_rows:
            writer.write_table(table)
            table = pyarrow.Table.from_pylist(list(islice(stream, ROWS_AT_ONCE)), schema=table.schema)
