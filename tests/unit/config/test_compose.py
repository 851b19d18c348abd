"""Composition: verl's keys unchanged at the root, precedence of the groups, errors in the user's terms."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.config.tree import verl_trainer_configs
from harness.errors import ConfigurationError

GIVEN = ["actor_rollout_ref.model.path=m", "data.train_files=a.parquet", "data.val_files=b.parquet"]


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def leaves(tree, prefix=""):
    for key, value in tree.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path


@pytest.mark.parametrize(("engine", "group"), [("dp", "fsdp2"), ("megatron", "megatron")])
def test_every_key_of_verl_is_there(engine: str, group: str) -> None:
    config = compose_config([f"engine={group}", "device=cuda"])
    theirs = set(leaves(yaml.safe_load(verl_trainer_configs()[engine].read_text())))
    from omegaconf import OmegaConf

    ours = set(leaves(OmegaConf.to_container(config)))
    # a value of verl's may have become a section (an empty mapping that got keys), so prefixes count
    missing = {key for key in theirs if key not in ours and not any(own.startswith(f"{key}.") for own in ours)}
    assert missing == set()


def test_a_verl_override_changes_exactly_its_key() -> None:
    base, changed = compose_config(GIVEN), compose_config([*GIVEN, "actor_rollout_ref.actor.optim.lr=3e-6"])
    assert changed.actor_rollout_ref.actor.optim.lr == 3e-6
    changed.actor_rollout_ref.actor.optim.lr = base.actor_rollout_ref.actor.optim.lr
    assert changed == base


def test_precedence_groups_algorithm_experiment_command_line(tmp_path: Path) -> None:
    write(
        tmp_path / "conf/model/mine.yaml",
        "# @package _global_\nalgorithm: {gamma: 0.1}\ndata: {max_prompt_length: 7}\n",
    )
    write(tmp_path / "conf/algorithm/mine.yaml", "# @package _global_\nalgorithm: {gamma: 0.2, lam: 0.2}\n")
    write(
        tmp_path / "conf/experiment/mine.yaml",
        "# @package _global_\ndefaults: [{override /model: mine}, {override /algorithm: mine}]\nalgorithm: {lam: 0.3}\n",
    )
    config = compose_config(["experiment=mine", "algorithm.adv_estimator=rloo"], project=tmp_path)
    assert (config.data.max_prompt_length, config.algorithm.gamma, config.algorithm.lam) == (7, 0.2, 0.3)
    assert config.algorithm.adv_estimator == "rloo"


def test_a_users_file_overlays_the_shipped_one(tmp_path: Path) -> None:
    write(tmp_path / "conf/algorithm/grpo.yaml", "# @package _global_\nalgorithm: {adv_estimator: mine}\n")
    write(tmp_path / "experiments/e/conf/experiment/e/a.yaml", "# @package _global_\nname: from-experiments\n")
    config = compose_config(["experiment=e/a"], project=tmp_path)
    assert (config.algorithm.adv_estimator, config.name) == ("mine", "from-experiments")


def test_several_reward_functions_each_with_a_weight() -> None:
    config = compose_config([*GIVEN, "reward_fn=[exact_match,reasoning_gym]", "reward_fn.exact_match.weight=0.25"])
    assert list(config.reward_fn) == ["exact_match", "reasoning_gym"]
    assert config.reward_fn.exact_match.weight == 0.25


@pytest.mark.parametrize(
    ("override", "message", "remedy"),
    [
        ("trainer.total_epoch=3", "trainer.total_epoch: there is no such key under trainer.", "total_epochs"),
        ("actor_rollout_ref.actor.optim.lrr=1", "no such key under actor_rollout_ref.actor.optim", "Did you mean lr?"),
        ("algorithm=grop", "algorithm=grop: algorithm has no option 'grop'.", "Did you mean grpo"),
        ("algorithm=gpro", "algorithm=gpro: algorithm has no option 'gpro'.", "Did you mean grpo or"),
        ("trainer_mode=sync", "trainer_mode: there is no such key or group.", "Did you mean trainer.v1.trainer_mode?"),
        ("rolout=vllm", "rolout: there is no such", "rollout"),
        ("nonsense", "nonsense: not an override.", "Write key=value"),
        ("data.train_batch_size=[1", "data.train_batch_size=[1: not an override.", "quote"),
        ("reward_fn=???", "reward_fn=???: an option is needed.", "Choose one of custom, exact_match"),
        ("reward_fn.verl=???", "reward_fn.verl=???: a section with a _target_", "set single keys below"),
    ],
)
def test_a_wrong_override_names_key_and_remedy(override: str, message: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compose_config([*GIVEN, override])
    assert message in caught.value.message
    assert remedy in caught.value.remedy


def test_resolving_gives_plain_values_and_keeps_the_seed_everywhere() -> None:
    config = resolve(compose_config([*GIVEN, "seed=17"]))
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    assert {config.data.seed, actor.data_loader_seed, actor.fsdp_config.seed, rollout.seed} == {17}


def test_it_says_what_was_chosen_also_without_a_word_and_that_decides_nothing(tmp_path: Path) -> None:
    write(
        tmp_path / "conf/experiment/mine.yaml",
        "# @package _global_\ndefaults: [{override /model: tiny}, {override /algorithm: rloo}]\n",
    )
    by_default = compose_config(["experiment=quickstart_tiny"]).tracking.choices
    by_file = compose_config(["experiment=mine"], project=tmp_path).tracking.choices
    by_word = compose_config(["experiment=mine", "algorithm=ppo"], project=tmp_path)
    assert (by_default.algorithm, by_default.model, by_default.experiment) == ("grpo", "tiny", "quickstart_tiny")
    assert (by_file.algorithm, by_word.tracking.choices.algorithm) == ("rloo", "ppo")
    assert "tracking" not in by_default
    assert "hydra" not in by_word
    config = resolve(compose_config(["experiment=quickstart_tiny"]))
    known = fingerprint(config)
    config.tracking.choices = {}
    assert fingerprint(config) == known


def test_a_file_in_place_of_an_experiment_chooses_no_option() -> None:
    given = {"algorithm": {"adv_estimator": "gae"}}
    assert "algorithm" not in compose_config(GIVEN, experiment=given).tracking.choices
    assert compose_config([*GIVEN, "algorithm=ppo"], experiment=given).tracking.choices.algorithm == "ppo"


def test_a_defaults_list_in_the_wrong_order_is_told(tmp_path: Path) -> None:
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/mine.yaml").write_text(
        "# @package _global_\ndefaults: [{override /reward_fn: [exact_match]}, quickstart_tiny, _self_]\n"
    )
    for words in (["experiment=mine"], ["experiment=quickstart_tiny", "data=[1,2]"]):
        with pytest.raises(ConfigurationError, match="A defaults list of a YAML file"):
            compose_config(words, project=tmp_path)
