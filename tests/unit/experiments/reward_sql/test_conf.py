"""The experiment's own options are found, and checking them loads nothing that trains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
CHECK = """
import json, sys
from harness.cli import main
try:
    code = main(["check", "--json", *sys.argv[1:]])
except SystemExit as stop:
    code = stop.code
heavy = [name for name in ("torch", "verl", "ray", "transformers", "pyarrow") if name in sys.modules]
print(json.dumps([code, heavy]), file=sys.stderr)
"""
MODEL = "actor_rollout_ref.model.path=Qwen/Qwen2.5-Coder-7B-Instruct"
FOLDERS = ["prepare.data.train=/data/train", "prepare.data.dev=/data/dev"]
BATCH = ["actor_rollout_ref.actor.use_dynamic_bsz=true"]


@pytest.mark.parametrize(
    "words",
    [
        ["data=reward_sql_generated", MODEL],
        ["data=reward_sql_generated", "model=reward_sql_tiny"],
        ["data=reward_sql_bird", *FOLDERS, MODEL],
        ["data=reward_sql_spider", FOLDERS[0], MODEL],
    ],
    ids=lambda words: words[0],
)
def test_options_are_sound_and_checked_without_what_trains(words: list[str]) -> None:
    command = [sys.executable, "-c", CHECK, *words, *BATCH]

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert json.loads(found.stderr.splitlines()[-1]) == [0, []], found.stdout + found.stderr


def test_folders_of_a_benchmark_have_to_be_given() -> None:
    command = [sys.executable, "-c", CHECK, "data=reward_sql_bird", MODEL, *BATCH]

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert json.loads(found.stderr.splitlines()[-1])[0] == 2
    assert "prepare.data.train" in found.stdout
