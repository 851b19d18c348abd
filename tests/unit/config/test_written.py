"""What a plain verl-shaped file asks for counts as asked for, with the line it stands on."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import yaml

from harness.check.find import find_problems
from harness.cli import main
from harness.config.origins import Origins
from harness.config.search_path import load_yaml
from harness.config.tree import verl_trainer_configs
from harness.config.written import OF_A_MAPPING, compose_written, written_keys
from harness.errors import ConfigurationError
from harness.managers.verl import VERLTrainingManager

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
TINY = [  # what a file of a few lines leaves out
    *("model=tiny", "data=arithmetic", "reward_fn=[reasoning_gym]", "data.train_batch_size=8"),
    *(f"{ACTOR}.ppo_mini_batch_size=8", f"{ACTOR}.ppo_micro_batch_size_per_gpu=4"),
    f"{ROLLOUT}.log_prob_micro_batch_size_per_gpu=4",
]
IGNORED = """\
actor_rollout_ref:
  actor:
    clip_ratio: 0.3 # both ratios take it
    grad_clip: 0.5
    kl_loss_coef: 0.02
verifier:
  timeout: 5
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("run.yaml").write_text(IGNORED)
    return "run.yaml"


def test_keys_with_their_lines_where_they_live_now(file: str) -> None:
    assert written_keys(file) == {
        f"{ACTOR}.grad_clip": "run.yaml:4",
        f"{ACTOR}.kl_loss_coef": "run.yaml:5",
        "scoring.timeout_seconds": "run.yaml:7",
    }
    assert set(written_keys(yaml.safe_load(IGNORED)).values()) == {OF_A_MAPPING}
    assert written_keys(None) == {}


def test_a_key_that_an_anchor_brings(file: str) -> None:
    Path(file).write_text("trainer: &t {total_epochs: 3}\ncritic: {<<: *t}\n")
    assert written_keys(file) == {"trainer.total_epochs": "run.yaml:1", "critic.total_epochs": "run.yaml"}


@pytest.mark.parametrize("engine", ["dp", "megatron"])
def test_verls_own_tree_asks_for_nothing(engine: str) -> None:
    tree = dict(load_yaml(verl_trainer_configs()[engine]))
    assert (
        written_keys({key: tree[key] for key in ("actor_rollout_ref", "critic", "algorithm", "trainer", "data")}) == {}
    )


def test_what_verl_would_ignore_is_told_by_check_train_and_the_manager(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--json", "--config", file, *TINY]) == 2
    told = {each["key"]: each for each in json.loads(capsys.readouterr().out)["problems"]}
    assert set(told) == {"actor_rollout_ref.actor.grad_clip", "actor_rollout_ref.actor.kl_loss_coef"}
    assert told["actor_rollout_ref.actor.grad_clip"]["origin"] == "run.yaml:4"
    assert main(["train", "--dry-run", "--config", file, *TINY]) == 2
    assert "kl_loss_coef=0.02 does nothing" in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match=r"(?s)grad_clip=0\.5 does nothing.*kl_loss_coef=0\.02 does nothing"):
        VERLTrainingManager(file, overrides=TINY).train()


def test_training_by_the_command_is_refused_too(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--config", file, *TINY]) == 2
    assert "grad_clip=0.5 does nothing" in capsys.readouterr().err
    assert not Path("outputs").exists()


def test_a_type_is_told_with_its_line(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(file).write_text("trainer:\n  total_epochs: abc\n")
    assert main(["check", "--config", file, *TINY]) == 2
    assert "from run.yaml:2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["advantage_fn=grpo"], "algorithm.adv_estimator=rloo"),
        (["algorithm=max_rl"], "algorithm.adv_estimator=rloo"),
        (["policy_loss=gmpo"], "actor_rollout_ref.actor.policy_loss.loss_mode=gspo"),
        (["algorithm=gmpo"], "actor_rollout_ref.actor.policy_loss.loss_mode=gspo"),
    ],
)
def test_an_estimator_or_loss_of_the_file_gives_way_to_a_chosen_one(
    words: list[str], key: str, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    Path(file).write_text(
        "algorithm: {adv_estimator: rloo}\nactor_rollout_ref: {actor: {policy_loss: {loss_mode: gspo}}}\n"
    )
    with caplog.at_level(logging.WARNING):
        config = compose_written([*TINY, *words], file)
    assert f"{key} of the configuration file gives way to {words[0]}" in caplog.text
    problems = find_problems(config, words, Origins(tuple(words), Path.cwd(), written_keys(file, words)))
    assert not [problem for problem in problems if problem.code == "ignored"]
