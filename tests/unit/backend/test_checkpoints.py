"""What a training does around verl's saves, with verl's own saving in place of a training's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from harness.backend.checkpoints import Checkpoints
from harness.backend.recorded import RecordedTrainer
from harness.errors import StopRequested
from harness.records.checkpoints import TRACKER, whole_steps


class Told:
    """A user's callback."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.whole = folder, []

    def on_save(self, trainer, global_step: int, checkpoint_dir: str, async_save: bool, **further) -> None:
        self.whole.append((global_step, async_save, whole_steps(self.folder)))


def training(folder: Path, critic: bool = False, **given) -> SimpleNamespace:
    """As much of verl's trainer as is looked at."""
    keys = {"default_local_dir": str(folder), "max_actor_ckpt_to_keep": None, "max_critic_ckpt_to_keep": None}
    config = OmegaConf.create({"trainer": keys | given})
    trainer = SimpleNamespace(config=config, use_critic=critic, checkpoint_callback=Told(folder))
    trainer.told, trainer.checkpoints = trainer.checkpoint_callback, Checkpoints(trainer)
    return trainer


def save(trainer: SimpleNamespace, step: int, whole: bool = True) -> None:
    """One save, or what is there when it is cut short after verl has written its tracker."""
    checkpoints = trainer.checkpoints
    checkpoints.begin(step)
    for part in ("actor", "critic") if trainer.use_critic else ("actor",):
        (checkpoints.place(step) / part).mkdir()
        (checkpoints.place(step) / part / "model.pt").write_text(f"step {step}")
    (checkpoints.folder / TRACKER).write_text(str(step))
    if whole:
        checkpoints.on_save(
            trainer=trainer, global_step=step, checkpoint_dir=str(checkpoints.place(step)), async_save=False
        )


def there(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("global_step_*/*") if path.is_dir())


def test_a_users_callback_finds_a_whole_checkpoint(tmp_path: Path) -> None:
    trainer = training(tmp_path)
    save(trainer, 2)
    assert trainer.told.whole == [(2, False, [2])]
    assert trainer.checkpoints.saved == 2


def test_a_single_one_is_kept_until_the_next_is_whole(tmp_path: Path) -> None:
    trainer = training(tmp_path, max_actor_ckpt_to_keep=1)
    assert trainer.config.trainer.max_actor_ckpt_to_keep is None, "verl would delete it inside the save"
    save(trainer, 2)
    save(trainer, 4, whole=False)
    assert whole_steps(tmp_path) == [2]
    again = training(tmp_path, max_actor_ckpt_to_keep=1)
    again.checkpoints.repair()
    assert (tmp_path / TRACKER).read_text() == "2"
    save(again, 4)
    assert there(tmp_path) == ["global_step_4/actor"]


def test_old_ones_do_not_pile_up_over_resumes(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8):
        save(training(tmp_path, max_actor_ckpt_to_keep=2), step)
    assert whole_steps(tmp_path) == [6, 8]


def test_there_are_never_more_than_are_kept(tmp_path: Path) -> None:
    trainer = training(tmp_path, max_actor_ckpt_to_keep=3)
    for step in (2, 4, 6):
        save(trainer, step)
    trainer.checkpoints.begin(8)
    assert whole_steps(tmp_path) == [4, 6]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, ["2/actor", "2/critic", "4/actor", "4/critic", "6/actor", "6/critic"]),
        ({"max_actor_ckpt_to_keep": 2}, ["2/critic", "4/actor", "4/critic", "6/actor", "6/critic"]),
        ({"max_actor_ckpt_to_keep": 2, "max_critic_ckpt_to_keep": 1}, ["4/actor", "6/actor", "6/critic"]),
        ({"remove_previous_ckpt_in_save": True}, ["6/actor", "6/critic"]),
    ],
)
def test_the_keys_mean_what_they_mean_to_verl(tmp_path: Path, given: dict, left: list[str]) -> None:
    trainer = training(tmp_path, critic=True, **given)
    for step in (2, 4, 6):
        save(trainer, step)
    assert there(tmp_path) == [f"global_step_{place}" for place in left]


def test_what_is_passed_over_is_told_in_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = training(tmp_path)
    save(trainer, 2)
    save(trainer, 4, whole=False)
    training(tmp_path).checkpoints.repair()
    said = capsys.readouterr().err
    assert f"harness: {tmp_path}/global_step_4 is not whole and is passed over" in said
    assert "it names step 2 now" in said


@pytest.mark.parametrize(("saved", "expected"), [(2, []), (1, [2])])
def test_a_stop_saves_what_this_training_has_not(tmp_path: Path, saved: int, expected: list[int]) -> None:
    """Not what the folder holds: step 2 there may be torn, or of before the run was set back."""
    save(training(tmp_path), 2)
    trainer, made = training(tmp_path), []
    trainer.checkpoints.saved, trainer.global_steps = saved, 3
    trainer._save_checkpoint = lambda: made.append(trainer.global_steps)
    with pytest.raises(StopRequested, match="stopped after step 2"):
        RecordedTrainer._save_and_stop(trainer)
    assert made == expected
