"""Which checkpoints are whole, what a run goes on from, and which are deleted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.records.checkpoints import TRACKER, begin, checkpoint_at, complete, last_step, prune, repair, whole_steps

WEIGHTS, CRITIC = "actor/model_world_size_1_rank_0.pt", "critic/model_world_size_1_rank_0.pt"


def save(folder: Path, step: int, *, whole: bool = True) -> Path:
    """A checkpoint as a training leaves it, or one whose save was cut short before the end."""
    checkpoint = checkpoint_at(folder, step)
    begin(checkpoint)
    for name in (WEIGHTS, CRITIC, "process_reward_model/optim_world_size_1_rank_0.pt", "data.pt"):
        (checkpoint / name).parent.mkdir(exist_ok=True)
        (checkpoint / name).write_bytes(b"weights of step %d" % step)
    (folder / TRACKER).write_text(str(step))
    if whole:
        complete(checkpoint)
    return checkpoint


def parts(folder: Path) -> dict[int, list[str]]:
    """What is left of each checkpoint."""
    return {
        int(path.name.rpartition("_")[2]): sorted(part.name for part in path.iterdir() if part.is_dir())
        for path in folder.glob("global_step_*")
    }


def test_one_is_whole_once_all_of_it_is_on_the_disk(tmp_path: Path) -> None:
    assert whole_steps(tmp_path / "none") == []
    checkpoint = save(tmp_path, 2, whole=False)
    assert whole_steps(tmp_path) == [], "everything is there, but nothing says that it is on the disk"
    complete(checkpoint)
    assert whole_steps(tmp_path) == [2]


def truncate(checkpoint: Path) -> None:
    (checkpoint / WEIGHTS).write_bytes(b"wei")


def lose_a_file(checkpoint: Path) -> None:
    (checkpoint / "data.pt").unlink()


def lose_a_part(checkpoint: Path) -> None:
    shutil.rmtree(checkpoint / "process_reward_model")


def damage_the_manifest(checkpoint: Path) -> None:
    (checkpoint / "manifest.json").write_text('{"complete": tr')


def save_again_in_part(checkpoint: Path) -> None:
    begin(checkpoint)


TEARS = (truncate, lose_a_file, lose_a_part, damage_the_manifest, save_again_in_part)


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_one_is_passed_over_and_the_one_before_is_used(tmp_path: Path, tear) -> None:
    save(tmp_path, 2)
    tear(save(tmp_path, 4))
    assert (whole_steps(tmp_path), last_step(tmp_path)) == ([2], 2)
    first, second = repair(tmp_path)
    assert f"{tmp_path}/global_step_4 is not whole" in first
    assert "it names step 2 now" in second
    assert (tmp_path / TRACKER).read_text() == "2"
    (again,) = repair(tmp_path)
    assert "global_step_4" in again
    save(tmp_path, 4)
    assert whole_steps(tmp_path) == [2, 4]
    assert repair(tmp_path) == []


@pytest.mark.parametrize("text", ["", "no number", "6", "-4", None])
def test_a_tracker_that_names_none_is_repaired(tmp_path: Path, text: str | None) -> None:
    for step in (2, 4):
        save(tmp_path, step)
    (tmp_path / TRACKER).unlink()
    if text is not None:
        (tmp_path / TRACKER).write_text(text)
    (told,) = repair(tmp_path)
    assert "it names step 4 now" in told
    assert (tmp_path / TRACKER).read_text() == "4"


def test_a_tracker_that_was_set_back_stands(tmp_path: Path) -> None:
    for step in (2, 4):
        save(tmp_path, step)
    (tmp_path / TRACKER).write_text("2\n")
    assert last_step(tmp_path) == 2
    assert repair(tmp_path) == []
    assert (tmp_path / TRACKER).read_text() == "2\n"


def test_without_a_whole_one_the_training_begins(tmp_path: Path) -> None:
    assert repair(tmp_path / "none") == []
    save(tmp_path, 2, whole=False)
    assert [line.partition(":")[0].rpartition("/")[2] for line in repair(tmp_path)] == [
        "global_step_2 is not whole and is passed over",
        f"{TRACKER} named no whole checkpoint, and there is none",
    ]
    assert not (tmp_path / TRACKER).exists(), "verl cannot read an empty one"


def test_a_new_save_leaves_nothing_of_the_attempt_before(tmp_path: Path) -> None:
    checkpoint = save(tmp_path, 2, whole=False)
    (checkpoint / "actor/model_world_size_2_rank_1.pt").write_text("of two workers")
    begin(checkpoint)
    assert [path.name for path in checkpoint.iterdir()] == ["manifest.json"]


def test_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8):
        save(tmp_path, step)
    prune(tmp_path, 8, {"actor": None})
    prune(tmp_path, 8, {"actor": 0, "critic": None})
    assert whole_steps(tmp_path) == [2, 4, 6, 8]
    prune(tmp_path, 8, {"actor": 2})
    assert sorted(parts(tmp_path)) == whole_steps(tmp_path) == [6, 8]


def test_actor_and_critic_are_kept_of_as_many_as_is_asked(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8):
        save(tmp_path, step)
        prune(tmp_path, step, {"actor": 3, "critic": 1})
    everything = ["actor", "critic", "process_reward_model"]
    without = ["actor", "process_reward_model"]
    assert parts(tmp_path) == {4: without, 6: without, 8: everything}
    assert whole_steps(tmp_path) == [8]


def test_the_last_whole_one_stays_whatever_came_after_it(tmp_path: Path) -> None:
    save(tmp_path, 2)
    save(tmp_path, 4)
    truncate(save(tmp_path, 6))
    save(tmp_path, 8, whole=False)
    prune(tmp_path, 8, {"actor": 1})
    assert whole_steps(tmp_path) == [4]
    save(tmp_path, 9)
    prune(tmp_path, 9, {"actor": 1})
    assert sorted(parts(tmp_path)) == [9], "torn ones go as well"


def test_what_a_run_that_was_set_back_had_reached_does_not_count(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8, 3):
        save(tmp_path, step)
    prune(tmp_path, 3, {"actor": 1})
    assert whole_steps(tmp_path) == [3, 4, 6, 8]
