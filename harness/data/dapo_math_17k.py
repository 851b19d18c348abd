"""DAPO-Math-17k (arXiv:2503.14476): problems with whole numbers as answers, with AIME 2024 held out.

On the hub: BytedTsinghua-SIA/DAPO-Math-17k and BytedTsinghua-SIA/AIME-2024, in verl's columns and with their prompts.
Both repeat their rows, a hundred times and 32 times: here each prompt is there once. Repeat validation with
``actor_rollout_ref.rollout.val_kwargs.n``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.convert import Convert, Fields, LeftOut, verl_fields, write_account, write_split
from harness.data.hub import published_files, read_rows


def make_dapo_math_17k(
    path: Path,
    *,
    source: str = "BytedTsinghua-SIA/DAPO-Math-17k",
    held_out: str = "BytedTsinghua-SIA/AIME-2024",
    revision: str | None = None,
    train: str = "data/*.parquet",
    validation: str = "data/*.parquet",
    train_size: int | None = None,
    validation_size: int | None = None,
) -> None:
    """Write ``train.parquet`` and ``validation.parquet``.

    Args:
        path: Empty folder to fill.
        source: The hub's name of what to train on, or a folder of the same layout.
        held_out: The hub's name of what is held out, or a folder of the same layout.
        revision: A commit of the source's repository on the hub; None for the newest.
        train: Files of ``source``, as a path with ``*`` from its root.
        validation: Files of ``held_out``.
        train_size: Rows at most; None for all.
        validation_size: Rows held out at most.

    Raises:
        HarnessError: A source cannot be had, or no row can be used.
    """
    files, commit = published_files(source, {"train": train}, revision)
    tests, test_commit = published_files(held_out, {"validation": validation})
    accounts = {
        "train": write_split(path, "train", read_rows(files["train"]), train_size, _once(), source),
        "validation": write_split(
            path, "validation", read_rows(tests["validation"]), validation_size, _once(), held_out
        ),
    }
    origin = {"source": source, "revision": commit or revision, "held_out": held_out, "held_out_revision": test_commit}
    write_account(path, origin, accounts)


def _once() -> Convert:
    """Convert a row, the first of its prompt alone."""
    seen: set[str] = set()

    def convert(row: Mapping[str, Any]) -> Fields:
        fields = verl_fields(row)
        prompt = fields["messages"][-1]["content"]
        if prompt in seen:
            raise LeftOut("a prompt that was there before")
        seen.add(prompt)
        return fields

    return convert
