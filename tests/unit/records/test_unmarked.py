"""Checkpoints of runs from before there were manifests."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from harness.records.checkpoints import TRACKER, checkpoint_at, last_step, whole_steps

KINDS = ("model", "optim", "extra_state")


def save(folder: Path, step: int, models: tuple[str, ...] = ("actor",), ranks: int = 2) -> Path:
    """What verl writes with FSDP."""
    checkpoint = checkpoint_at(folder, step)
    shards = [f"{model}/{kind}_world_size_{ranks}_rank_{rank}.pt" for model in models for kind in KINDS
              for rank in range(ranks)]  # fmt: skip
    for name in (*shards, "data.pt"):
        (checkpoint / name).parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(checkpoint / name, "w") as archive:
            archive.writestr("data.pkl", b"numbers" * 100)
    (checkpoint / "actor/fsdp_config.json").write_text("{}")
    (folder / TRACKER).write_text(str(step))
    return checkpoint


def test_they_are_whole_with_all_their_parts(tmp_path: Path) -> None:
    for step in (2, 4):
        save(tmp_path, step, ("actor", "critic"))
    (tmp_path / TRACKER).write_text("")
    assert (whole_steps(tmp_path), last_step(tmp_path)) == ([2, 4], 4)


def test_other_engines_are_known_by_their_folders(tmp_path: Path) -> None:
    checkpoint = save(tmp_path, 2)
    for file in (checkpoint / "actor").iterdir():
        file.unlink()
    (checkpoint / "actor/ckpt_contents.json").write_text("{}")
    assert whole_steps(tmp_path) == [2]


def test_a_resume_on_another_number_of_workers_is_no_harm(tmp_path: Path) -> None:
    save(tmp_path, 2, ranks=2)
    save(tmp_path, 4, ranks=1)
    assert whole_steps(tmp_path) == [2, 4]


@pytest.mark.parametrize(
    "lost",
    ["data.pt", "actor", "critic", "actor/model_world_size_2_rank_1.pt", "actor/optim_world_size_2_rank_*.pt"],
)
def test_one_that_lacks_a_part_is_torn(tmp_path: Path, lost: str) -> None:
    save(tmp_path, 2, ("actor", "critic"))
    for path in save(tmp_path, 4, ("actor", "critic")).glob(lost):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert whole_steps(tmp_path) == [2]


def test_what_verls_deletion_has_left_is_none(tmp_path: Path) -> None:
    """A single one is kept, and a kill came after the deletion of the old one and before the new one was whole."""
    shutil.rmtree(save(tmp_path, 2) / "actor")
    (save(tmp_path, 4) / "data.pt").unlink()
    (tmp_path / TRACKER).write_text("2")
    assert last_step(tmp_path) is None


@pytest.mark.parametrize("name", ["data.pt", "actor/optim_world_size_2_rank_0.pt"])
def test_a_truncated_file_tears_it(tmp_path: Path, name: str) -> None:
    save(tmp_path, 2)
    torn = save(tmp_path, 4) / name
    torn.write_bytes(torn.read_bytes()[:-30])
    assert whole_steps(tmp_path) == [2]


def test_what_a_save_that_was_cut_short_left_is_no_part(tmp_path: Path) -> None:
    save(tmp_path, 2)
    torn = checkpoint_at(tmp_path, 4) / "transfer_queue.tmp"
    torn.mkdir(parents=True)
    (torn / "metadata.json").write_text("{}")
    assert whole_steps(tmp_path) == [2]
