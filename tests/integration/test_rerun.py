"""A real run again from its record: the same numbers, although its code has been edited since."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from interruptions import numbers
from runs import SHORT, Finished

REWARD = """
from harness import register_reward_function


@register_reward_function("lengthy")
def lengthy(input_text, response_text, **kwargs):
    "Long answers are better."
    return {value}
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True)


def test_with_the_code_of_then(tmp_path: Path, harness: Callable[..., Finished]) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / ".gitignore").write_text("outputs/\n")
    mine = tmp_path / "mine.py"
    mine.write_text(REWARD.replace("{value}", "0.0"))
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    mine.write_text(REWARD.replace("{value}", "min(1.0, len(response_text) / 10)"))
    first = harness("train", *SHORT, "plugins=[mine]", "reward_fn=[lengthy]", folder=tmp_path)
    assert first.code == 0, first.err
    mine.write_text(REWARD.replace("{value}", "1.0"))
    again = harness("rerun", first.run.shown(), "plugins=[mine]", folder=tmp_path)
    assert again.code == 0, again.err
    assert again.run.path.resolve() != first.run.path.resolve()
    assert again.run.path.resolve().parent == first.run.path.resolve().parent
    assert numbers(again.run) == numbers(first.run)
    scores = {row["critic/score/mean"] for row in numbers(first.run).values() if "critic/score/mean" in row}
    assert scores
    assert 1.0 not in scores, "the edited function would give nothing else"
