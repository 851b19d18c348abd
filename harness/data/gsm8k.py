"""GSM8K (arXiv:2110.14168): 7473 school problems to train on and 1319 to test, as openai/gsm8k has them on the hub.

Columns there: ``question``, and ``answer`` with the reasoning and, after ``####``, the number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.convert import Fields, LeftOut, chat, make_published, text

ANSWER = re.compile(r"####\s*\$?(-?\$?[\d,]*\.?\d+)\s*$")


def make_gsm8k(
    path: Path,
    *,
    source: str = "openai/gsm8k",
    revision: str | None = None,
    train: str = "main/train-*.parquet",
    validation: str = "main/test-*.parquet",
    train_size: int | None = None,
    validation_size: int | None = None,
    system: str | None = None,
    prompt: str = "{question}",
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
        system: System message; None leaves it to the model's chat template.
        prompt: The user's message, with ``{question}``.

    Raises:
        HarnessError: The source cannot be had, or no row can be used.
    """

    def convert(row: Mapping[str, Any]) -> Fields:
        question, answer = text(row, "question"), text(row, "answer")
        return {
            "source": "openai/gsm8k",  # the name by which verl's own scorer knows it, whatever the source
            "messages": chat(system, prompt, "question", question),
            "ability": "math",
            "ground_truth": final_number(answer),
            "answer": answer,
            "question": question,
        }

    sizes = {"train": train_size, "validation": validation_size}
    make_published(path, source, {"train": train, "validation": validation}, sizes, convert, revision)


def final_number(answer: str) -> str:
    """The number after ``####``, without separators of thousands.

    Raises:
        LeftOut: There is none.
    """
    found = ANSWER.search(answer)
    if found is None:
        raise LeftOut("no number after #### in column answer")
    return found[1].replace(",", "").replace("$", "")
