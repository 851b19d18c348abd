"""Checkpoints that a training cannot begin with."""

from __future__ import annotations

from pathlib import Path

from harness.check.find import find_problems
from harness.config.compose import compose_config


def messages(*words: str) -> list[str]:
    given = ["experiment=quickstart_tiny", "trainer.resume_mode=resume_path", *words]
    return [str(problem) for problem in find_problems(compose_config(given), given)]


def test_a_training_begins_with_a_checkpoint_that_leaves_it_steps(tmp_path: Path) -> None:
    checkpoint = tmp_path / "global_step_4"
    checkpoint.mkdir()
    from_it = f"trainer.resume_from_path={checkpoint}"
    assert messages(from_it, "trainer.total_training_steps=5") == []
    assert messages(from_it, "trainer.total_training_steps=4", "trainer.val_only=true") == []
    (left,) = messages(from_it, "trainer.total_training_steps=4")
    assert (
        "trainer.total_training_steps=4: the training begins with the checkpoint of step 4, so no step is left" in left
    )
    assert "set trainer.total_training_steps=8" in left


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    (none,) = messages()
    assert "trainer.resume_from_path=None: trainer.resume_mode=resume_path needs the path of a checkpoint" in none
    (other,) = messages(f"trainer.resume_from_path={tmp_path}")
    assert "needs the path of a checkpoint" in other
    (missing,) = messages(f"trainer.resume_from_path={tmp_path}/global_step_7")
    assert "there is no folder" in missing
