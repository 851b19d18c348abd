"""The classic constructor: a file with verl's sections, an algorithm's name, objects."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from harness import VERLTrainingManager
from harness.check.find import find_problems
from harness.components import by_value
from harness.components.instantiate import instantiate
from harness.config.compose import resolve
from harness.errors import ComponentError, ConfigurationError
from harness.managers.classic import classic_config, train_settings
from harness.rewards.exact_match import exact_match

PLAIN = {
    "data": {"train_batch_size": 16, "max_response_length": 32},
    "actor_rollout_ref": {"actor": {"ppo_mini_batch_size": 16, "optim": {"lr": 1e-5}}, "rollout": {"n": 4}},
    "critic": {"ppo_mini_batch_size": 16},
    "reward_model": {"reward_manager": "dapo", "enable": False},
    "custom_reward_function": {"path": "my_scorer.py", "name": "score"},
    "verifier": {"timeout": 5, "num_workers": 2},
    "algorithm": {"gamma": 0.9},
    "trainer": {"total_epochs": 2},
}


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(PLAIN))
    return path


def test_a_plain_file_is_composed_and_its_old_keys_are_moved(plain: Path) -> None:
    config, words = classic_config(str(plain), "dr_grpo")
    assert words == ["algorithm=dr_grpo"]
    assert config.data.train_batch_size == 16
    assert config.algorithm.norm_adv_by_std_in_grpo is False
    assert config.actor_rollout_ref.actor.loss_scale_factor == 32  # follows the file's response limit
    assert config.reward.reward_manager.name == "dapo"
    assert config.reward.custom_reward_function.path == "my_scorer.py"
    assert config.scoring.timeout_seconds == 5
    assert config.reward.num_workers == 2
    assert config.trainer.total_epochs == 2
    assert classic_config(PLAIN)[0].algorithm.adv_estimator == "grpo"
    assert classic_config(str(plain), overrides=["data.train_batch_size=32"])[0].data.train_batch_size == 32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"verifier": {"timeoutt": 5}}, r"verifier\.timeoutt has no meaning .*|Did you mean verifier\.timeout"),
        ({"reward_model": {"micro_batch_size": 5}}, r"reward_model\.micro_batch_size has no meaning in verl 0\.9\.1"),
        ({"data": {"train_batch_sizes": 5}}, "train_batch_sizes"),
        ({"algorithms": {"gamma": 1}}, "algorithms"),
    ],
)
def test_a_key_without_a_meaning_is_refused_by_name(change: dict, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        classic_config({**PLAIN, **change})


def test_a_clip_ratio_is_the_one_that_clips(plain: Path) -> None:
    tree = yaml.safe_load(plain.read_text())
    tree.setdefault("actor_rollout_ref", {}).setdefault("actor", {})["clip_ratio"] = 0.3
    actor = classic_config(tree)[0].actor_rollout_ref.actor
    assert (actor.clip_ratio_low, actor.clip_ratio_high) == (0.3, 0.3)
    tree["actor_rollout_ref"]["actor"]["clip_ratio_high"] = 0.4
    actor = classic_config(tree)[0].actor_rollout_ref.actor
    assert (actor.clip_ratio_low, actor.clip_ratio_high) == (0.3, 0.4)


def test_numbers_are_read_as_verl_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "actor_rollout_ref:\n  actor:\n    optim: {lr: 1e-6}\n    ppo_mini_batch_size: ${data.train_batch_size}\n"
    )
    actor = classic_config(path)[0].actor_rollout_ref.actor
    assert (actor.optim.lr, actor.ppo_mini_batch_size) == (1e-6, 1024)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no file .*nothing\.yaml"):
        classic_config(str(tmp_path / "nothing.yaml"))
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(ConfigurationError, match="cannot be read as YAML"):
        classic_config(str(tmp_path / "bad.yaml"))
    (tmp_path / "text.yaml").write_text("trainer: {project_name: '${'}")
    with pytest.raises(ConfigurationError, match=r"text\.yaml: trainer\.project_name: .* '\$\{'"):
        classic_config(str(tmp_path / "text.yaml"))
    with pytest.raises(ConfigurationError, match=r"'\$\{'"):
        classic_config({"trainer": {"project_name": "${"}})
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(ConfigurationError, match="holds list, not sections"):
        classic_config(str(tmp_path / "list.yaml"))


def test_importable_objects_travel_by_name_and_others_by_value(plain: Path) -> None:
    config, _ = classic_config(str(plain), reward_function=exact_match)
    assert config.reward_fn.given._target_ == "harness.rewards.exact_match.exact_match"
    factor = 3.0
    config, _ = classic_config(str(plain), reward_function=lambda input_text, response_text, **_: factor)
    assert config.reward_fn.given._target_ == by_value.TARGET
    function = instantiate({k: v for k, v in config.reward_fn.given.items() if k != "weight"}, "k", ["by_value"])
    assert function("", "") == 3.0
    with pytest.raises(ComponentError, match="only taken from a script of your own"):
        instantiate({"_target_": by_value.TARGET, "code": config.reward_fn.given.code}, "k")

    class Manager:
        def __init__(self, tokenizer, num_examine, config, compute_score=None): ...

        def __call__(self, data): ...

    config, _ = classic_config(str(plain), reward_manager_class=Manager)
    assert config.reward_manager._target_ == by_value.TARGET


def test_what_cannot_travel_is_refused(plain: Path, tmp_path: Path) -> None:
    with (
        (tmp_path / "file").open("w") as held,
        pytest.raises(ComponentError, match="cannot be sent to another process"),
    ):
        classic_config(str(plain), reward_function=lambda input_text, response_text, **_: held.write("x"))
    with pytest.raises(ConfigurationError, match=r"reward_function: .* does not fit"):
        classic_config(str(plain), reward_function=lambda text: 0.0)


def test_a_core_algorithms_module(plain: Path, tmp_path: Path) -> None:
    (tmp_path / "core.py").write_text(
        "def compute_custom_advantage(token_level_rewards, eos_mask, index, epsilon=1e-6): ..."
    )
    manager = VERLTrainingManager(
        config=str(plain), algorithm_type="grpo", core_algos_module=str(tmp_path / "core.py"),
        core_algos_function="compute_custom_advantage",
    )  # fmt: skip
    assert manager.get_config().advantage_fn._target_ == f"{tmp_path}/core.py:compute_custom_advantage"
    with pytest.raises(ConfigurationError, match="no core_algos_module is given"):
        classic_config(str(plain), core_algos_function="f")


@pytest.mark.parametrize("name", ["it's", "lr=1e-6, 'v2' [x]", "back\\", "a\\'b", "Übung (1)"])
def test_a_path_of_any_characters_reaches_the_process_that_runs_it(plain: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "core.py").write_text("def mine(token_level_rewards, eos_mask, index):\n    return 'mine'\n")
    for module in (folder / "core.py", str(folder / "core.py")):
        config, words = classic_config(plain, "grpo", core_algos_module=module, core_algos_function="mine")
        again = classic_config(plain, overrides=words)[0]  # as a repetition of the run composes it
        assert again.advantage_fn == config.advantage_fn
    recorded = OmegaConf.create(OmegaConf.to_yaml(resolve(config)))
    assert [problem for problem in find_problems(config, words) if problem.key.startswith("advantage_fn")] == []
    assert instantiate(recorded.advantage_fn, "advantage_fn", recorded.trusted_modules)(None, None, None) == "mine"


def test_a_path_that_is_not_written_out(plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=r"advantage_fn\.module: .*HOME.*\n.*write the path out"):
        classic_config(plain, core_algos_module="${HOME}/core.py")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "core.py").write_text("def mine(token_level_rewards, eos_mask, index): ...")
    config = classic_config(plain, core_algos_module="~/core.py")[0]
    assert config.advantage_fn._target_ == f"{tmp_path}/core.py:mine"


def test_a_composed_configuration_is_not_composed_again(plain: Path) -> None:
    composed, _ = classic_config(str(plain))
    assert VERLTrainingManager(composed).get_config() is composed
    with pytest.raises(ConfigurationError, match="Compose it with algorithm="):
        VERLTrainingManager(composed, algorithm_type="ppo")


def test_arguments_of_train() -> None:
    assert train_settings({"num_epochs": 2, "learning_rate": 1e-5, "data.seed": 3}) == {
        "trainer.total_epochs": 2,
        "actor_rollout_ref.actor.optim.lr": 1e-5,
        "data.seed": 3,
    }
    with pytest.raises(ConfigurationError, match="there is no such argument"):
        train_settings({"epochs": 2})


def test_the_algorithm_named_wins_over_the_file_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    given = {**PLAIN, "algorithm": {"adv_estimator": "gae", "gamma": 0.9}}
    config, _ = classic_config(given, "grpo")
    assert (config.algorithm.adv_estimator, config.algorithm.gamma) == ("grpo", 0.9)
    assert "algorithm.adv_estimator=gae of the configuration file gives way to algorithm=grpo" in caplog.text
    assert classic_config(given)[0].algorithm.adv_estimator == "gae"


def test_keys_that_verl_hands_on_are_taken_as_they_are() -> None:
    more = {
        "reward_model": {"reward_kwargs": {"a": 1}, "rollout": {"name": "vllm"}},
        "custom_reward_function": {"path": "x.py", "reward_kwargs": {"b": 2}},
        "ray_kwargs": {"ray_init": {"address": "auto"}},
        "reward": None,
    }
    config, _ = classic_config({**PLAIN, **more})
    assert config.reward.custom_reward_function.reward_kwargs.b == 2
    assert config.reward.reward_kwargs.a == 1
    assert config.ray_kwargs.ray_init.address == "auto"


def test_a_misspelt_key_of_train_is_refused() -> None:
    manager = VERLTrainingManager(PLAIN)
    with pytest.raises(ConfigurationError, match=r"(?s)data.train_batchsize is not a key .*train_batch_size"):
        manager.update_config({"data.train_batchsize": 64})
    manager.update_config({"data.train_batch_size": 64})
    assert manager.get_config().data.train_batch_size == 64


class Judge:
    def __init__(self, score: float) -> None:
        self.value = score

    def score(self, input_text: str, response_text: str, **kwargs: object) -> float:
        return self.value


def test_bound_methods_and_wrappers_travel_as_they_are() -> None:
    import functools

    @functools.wraps(exact_match)
    def halved(*arguments, **parameters):
        return 0.5

    for thing, wanted in ((Judge(0.75).score, 0.75), (halved, 0.5)):
        node = classic_config(PLAIN, reward_function=thing)[0].reward_fn.given
        function = instantiate({k: v for k, v in node.items() if k != "weight"}, "reward_fn.given", ["by_value"])
        assert function("", "", ground_truth="") == wanted
