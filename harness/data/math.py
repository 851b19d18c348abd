"""MATH (arXiv:2103.03874): 12,500 competition problems of five levels, as DigitalLearningGmbH/MATH-lighteval has them.

Columns there: ``problem``, ``level``, ``type`` and ``solution``, whose last box holds the answer. Held out is MATH-500
(arXiv:2305.20050), HuggingFaceH4/MATH-500: ``problem``, ``solution``, ``answer``, ``subject``, ``level``. Its problems
are of MATH's test split, so they never get into the training rows, whatever files those are from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.data.convert import Fields, LeftOut, chat, text, write_account, write_split
from harness.data.hub import published_files, read_rows
from harness.errors import ConfigurationError

BOX = re.compile(r"\\(?:boxed|fbox)\s*(\{|[^\s$.,{}\\]+)")
BRACE = re.compile(r"\\.|[{}]", re.DOTALL)  # \{ is no brace


def make_math(
    path: Path,
    *,
    source: str = "DigitalLearningGmbH/MATH-lighteval",
    held_out: str = "HuggingFaceH4/MATH-500",
    revision: str | None = None,
    train: str = "data/train-*.parquet",
    validation: str = "test.jsonl",
    levels: Sequence[int] = (1, 2, 3, 4, 5),
    train_size: int | None = None,
    validation_size: int | None = None,
    system: str | None = None,
    prompt: str = "{problem}",
) -> None:
    r"""Write ``train.parquet`` and ``validation.parquet``, which share no problem.

    Args:
        path: Empty folder to fill.
        source: The hub's name of what to train on, or a folder of the same layout.
        held_out: The hub's name of what is held out, or a folder of the same layout.
        revision: A commit of the source's repository on the hub; None for the newest.
        train: Files of ``source``, as a path with ``*`` from its root; ``data/*.parquet`` takes both splits.
        validation: Files of ``held_out``.
        levels: Levels of difficulty to train on.
        train_size: Rows at most; None for all.
        validation_size: Rows held out at most.
        system: System message; None leaves it to the model's chat template.
        prompt: The user's message, with ``{problem}``.

    Raises:
        HarnessError: A source cannot be had, or no row can be used.
    """
    wanted = _levels(levels)
    files, commit = published_files(source, {"train": train}, revision)
    tests, test_commit = published_files(held_out, {"validation": validation})

    def convert(row: Mapping[str, Any], name: str) -> Fields:
        problem = text(row, "problem")
        answer = row.get("answer")
        answer = answer.strip() if isinstance(answer, str) and answer.strip() else boxed(text(row, "solution"))
        return {
            "source": name,
            "messages": chat(system, prompt, "problem", problem),
            "ability": "math",
            "ground_truth": answer,
            "level": _level(row),
            "subject": str(row.get("type") or row.get("subject")),
        }

    def to_train(row: Mapping[str, Any]) -> Fields:
        fields = convert(row, "DigitalLearningGmbH/MATH-lighteval")
        if fields["level"] not in wanted:
            raise LeftOut(f"its level is not among prepare.data.levels={sorted(wanted)}")
        if _same(row["problem"]) in kept_apart:
            raise LeftOut("it is held out")
        return fields

    tested = list(read_rows(tests["validation"]))
    kept_apart = {_same(str(row.get("problem"))) for row in tested}
    accounts = {
        "validation": write_split(
            path, "validation", tested, validation_size, lambda row: convert(row, "HuggingFaceH4/MATH-500"), held_out
        ),
        "train": write_split(path, "train", read_rows(files["train"]), train_size, to_train, source),
    }
    origin = {"source": source, "revision": commit or revision, "held_out": held_out, "held_out_revision": test_commit}
    write_account(path, origin, accounts)


def boxed(solution: str) -> str:
    r"""What stands in the last ``\boxed{…}`` of a solution, braces inside it balanced; ``\boxed 5`` counts too.

    Raises:
        LeftOut: There is no box, or it is not closed or empty.
    """
    boxes = list(BOX.finditer(solution))
    if boxes and boxes[-1][1] != "{":
        return boxes[-1][1]
    depth, start = 0, boxes[-1].end() if boxes else len(solution)
    for brace in BRACE.finditer(solution, start - 1):  # from the opening one on
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            if content := solution[start : brace.start()].strip():
                return content
            break
    raise LeftOut("no answer in a \\boxed{} of column solution")


def _levels(levels: Sequence[int]) -> set[int]:
    chosen = set(levels)
    if not chosen or not chosen <= {1, 2, 3, 4, 5}:
        raise ConfigurationError(f"prepare.data.levels={list(levels)}: some of 1, 2, 3, 4, 5 are needed.")
    return chosen


def _level(row: Mapping[str, Any]) -> int:
    """5 of ``Level 5`` and of 5; 0 where it is not known."""
    digits = str(row.get("level")).removeprefix("Level ").strip()
    return int(digits) if digits.isdigit() else 0


def _same(problem: str) -> str:
    """A problem without its white space: copies differ in line breaks."""
    return "".join(problem.split())
