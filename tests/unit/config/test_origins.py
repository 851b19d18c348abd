"""A value's origin is a file and line that can be opened, or the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.origins import COMMAND_LINE, Origins

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "key",
    ["data.train_batch_size", "trainer.nnodes", "seed", "actor_rollout_ref.actor.clip_ratio_high", "reward_manager._target_",
     "actor_rollout_ref.actor.optim.betas", "reward_fn.reasoning_gym.extract"],
)  # fmt: skip
def test_the_line_names_the_key(key: str) -> None:
    origins = Origins(("experiment=quickstart", "algorithm=dapo"), ROOT)
    file, _, number = origins.of(key).rpartition(":")
    assert key.rpartition(".")[2] in (ROOT / file).read_text().splitlines()[int(number) - 1]


def test_words_of_the_command_win_and_choosing_an_option_is_not_giving_a_value() -> None:
    origins = Origins(("experiment=quickstart", "algorithm=dapo", "seed=3", "+trainer.x={y: 1}"), ROOT)
    assert origins.of("seed") == origins.of("trainer.x.y") == COMMAND_LINE
    assert origins.of("algorithm.filter_groups.metric").startswith("conf/algorithm/dapo.yaml:")
    assert origins.of("no.such.key") == ""
    assert set(origins.given()) == {"seed", "trainer.x"}


def test_a_users_own_files_give_values(tmp_path: Path) -> None:
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/mine.yaml").write_text("# @package _global_\ntrainer:\n  test_freq: 3\n")
    given = Origins(("experiment=mine",), tmp_path).given()
    assert given["trainer.test_freq"] == "conf/experiment/mine.yaml:3"
    (tmp_path / "conf/experiment/mine.yaml").write_text("# @package _global_\n\n\ntrainer:\n  save_freq: 3\n")
    given = Origins(("experiment=mine",), tmp_path).given()
    assert given["trainer.save_freq"] == "conf/experiment/mine.yaml:5", "an edited file is read again"
    assert "trainer.test_freq" not in given
