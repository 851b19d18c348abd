"""Eurus-2-RL-Data (arXiv:2502.01456), what PRIME trains on: PRIME-RL/Eurus-2-RL-Data on the hub, in verl's columns.

Its prompts come with the system message that Eurus-2-7B-SFT was tuned to. Of its two kinds of tasks the mathematics are
used, scored by ``reward_fn=[math_answer]``. Code is left out with its count: its tests would have to be run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.convert import Fields, LeftOut, make_published, verl_fields


def make_eurus_2_rl(
    path: Path,
    *,
    source: str = "PRIME-RL/Eurus-2-RL-Data",
    revision: str | None = None,
    train: str = "train*.parquet",
    validation: str = "validation*.parquet",
    train_size: int | None = None,
    validation_size: int | None = None,
) -> None:
    """Write ``train.parquet`` and ``validation.parquet``.

    Args:
        path: Empty folder to fill.
        source: The hub's name of it, or a folder of the same layout.
        revision: A commit of the hub's repository; None for the newest.
        train: Files to train on, as a path with ``*`` from the source's root.
        validation: Files held out.
        train_size: Rows at most; None for all.
        validation_size: Rows held out at most.

    Raises:
        HarnessError: The source cannot be had, or no row can be used.
    """
    sizes = {"train": train_size, "validation": validation_size}
    make_published(path, source, {"train": train, "validation": validation}, sizes, _mathematics, revision)


def _mathematics(row: Mapping[str, Any]) -> Fields:
    if str(row.get("ability")).lower() == "code":
        raise LeftOut("a code task, whose tests would have to be run")
    return verl_fields(row)
