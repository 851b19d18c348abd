"""Small files in the layout of the published data sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

Rows = list[dict[str, Any]]

GSM8K = [
    {"question": "Two and two?", "answer": "2 + 2 = <<2+2=4>>4\n#### 4"},
    {"question": "A lot?", "answer": "It is a lot.\n#### 1,234"},
    {"question": "Who knows?", "answer": "Nobody."},
    {"question": "", "answer": "#### 1"},
    {"question": "What is {left}?", "answer": "Below zero.\n#### -3.5"},
]
MATH = [
    {"problem": "One half?", "level": "Level 3", "type": "Algebra", "solution": "So $\\boxed{\\frac{1}{2}}$."},
    {"problem": "Easy?", "level": "Level 1", "type": "Algebra", "solution": "$\\boxed{1}$"},
    {"problem": "Held   out?", "level": "Level 5", "type": "Algebra", "solution": "$\\boxed{7}$"},
    {"problem": "No box?", "level": "Level 4", "type": "Algebra", "solution": "It is 3."},
    {"problem": "A set?", "level": "Level 5", "type": "Algebra", "solution": "$\\boxed{0}$, no: $\\boxed{\\{1, 2\\}}$"},
]
MATH_500 = [{"problem": "Held out?", "solution": "$\\boxed{8}$", "answer": "7", "subject": "Algebra", "level": 5}]


def verl_row(content: str, truth: Any, source: str = "math_dapo", ability: str = "MATH") -> dict[str, Any]:
    return {
        "data_source": source,
        "prompt": [{"role": "user", "content": content}],
        "ability": ability,
        "reward_model": {"ground_truth": truth, "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": content},
    }


DAPO = [verl_row("One?", "1"), verl_row("Two?", "2"), verl_row("One?", "1"), verl_row("None?", None)]
AIME = [verl_row("Hard?", "33", ability="math")] * 3
EURUS_SYSTEM = "\nWork in these actions:\n\n[ASSESS]\n\n[OUTPUT]\n"  # theirs has line breaks around it as well


def eurus_row(content: str, truth: str, source: str, ability: str) -> dict[str, Any]:
    """A row whose prompt opens with a system message, as every one of Eurus-2-RL-Data does."""
    row = verl_row(content, truth, source, ability)
    return row | {"prompt": [{"role": "system", "content": EURUS_SYSTEM}, *row["prompt"]]}


EURUS = [
    eurus_row("Sum?", "3", "numina_olympiads", "math"),
    eurus_row("Program?", '{"inputs": ["1"]}', "taco", "code"),
    eurus_row("Product?", "6", "numina_cn_k12", "math"),
]


def write_parquet(file: Path, rows: Rows) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows), file)


def write_lines(file: Path, rows: Rows) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def gsm8k(folder: Path) -> str:
    write_parquet(folder / "main/train-00000-of-00002.parquet", GSM8K[:2])
    write_parquet(folder / "main/train-00001-of-00002.parquet", GSM8K[2:])
    write_parquet(folder / "main/test-00000-of-00001.parquet", GSM8K[:1])
    write_parquet(folder / "socratic/train-00000-of-00001.parquet", GSM8K)
    return str(folder)


def math(folder: Path) -> tuple[str, str]:
    write_parquet(folder / "math/data/train-00000-of-00001.parquet", MATH[:2])
    write_parquet(folder / "math/data/test-00000-of-00001.parquet", MATH[2:])
    write_lines(folder / "math500/test.jsonl", MATH_500)
    return str(folder / "math"), str(folder / "math500")


def dapo(folder: Path) -> tuple[str, str]:
    write_parquet(folder / "dapo/data/dapo-math-17k.parquet", DAPO)
    write_parquet(folder / "aime/data/aime-2024.parquet", AIME)
    return str(folder / "dapo"), str(folder / "aime")


def eurus(folder: Path) -> str:
    write_parquet(folder / "train.parquet", EURUS)
    write_parquet(folder / "validation.parquet", EURUS[1:])
    return str(folder)
