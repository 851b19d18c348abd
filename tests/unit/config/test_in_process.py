"""A script that registers a component chooses it by its name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import (
    VERLTrainingManager,
    register_advantage_function,
    register_algorithm,
    register_policy_loss,
    register_reward_function,
    register_reward_manager,
)
from harness.backend.steps import AlgorithmSteps
from harness.check.find import find_problems
from harness.components import by_value
from harness.components.instantiate import instantiate
from harness.config.compose import compose_config
from harness.errors import ComponentError, ConfigurationError
from harness.reward_managers.per_sample import PerSampleRewardManager
from harness.rewards.exact_match import exact_match

TINY = "experiment=quickstart_tiny"


def test_what_no_process_can_import_travels_by_value_with_its_parameters() -> None:
    @register_advantage_function("mine")
    def mine(token_level_rewards, response_mask, index, epsilon=1e-6):
        return epsilon

    assert compose_config([TINY]).trusted_modules == []
    words = [TINY, "advantage_fn=mine", "advantage_fn.epsilon=0.5"]
    config = compose_config(words)
    assert (config.advantage_fn._target_, config.advantage_fn.epsilon) == (by_value.TARGET, 0.5)
    assert config.trusted_modules == [by_value.TRUST]
    assert find_problems(config, words) == []
    assert instantiate(config.advantage_fn, "advantage_fn", config.trusted_modules)(None, None, None) == 0.5
    manager = VERLTrainingManager({"trainer": {"total_training_steps": 1}}, overrides=words[1:])
    assert manager.get_config().advantage_fn.epsilon == 0.5


def test_every_kind() -> None:
    register_reward_function("right")(exact_match)

    @register_policy_loss("narrow")
    def narrow(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, width=0.2): ...

    @register_reward_manager("doubling")
    class Doubling(PerSampleRewardManager):
        def __init__(self, functions, factor=2.0):
            super().__init__(functions)

    @register_algorithm("watchful", base="dr_grpo")
    class Watchful(AlgorithmSteps):
        def __init__(self, every: int = 5):
            self.every = every

    words = [TINY, "reward_fn=[reasoning_gym,right]", "reward_fn.right.weight=0.1", "policy_loss=narrow"]
    words += ["policy_loss.width=0.1", "reward_manager=doubling", "algorithm=watchful", "algorithm_steps.every=7"]
    config = compose_config(words)
    target = "harness.rewards.exact_match.exact_match"
    assert config.reward_fn.right == {"weight": 0.1, "_target_": target, "extract": "auto", "ignore_case": False}
    assert (config.policy_loss.width, config.reward_manager.factor) == (0.1, 2.0)
    assert config.algorithm.norm_adv_by_std_in_grpo is False
    assert instantiate(config.algorithm_steps, "algorithm_steps", config.trusted_modules).every == 7
    with pytest.raises(ComponentError, match="takes no parameter 'wdth'"):
        instantiate({**config.policy_loss, "wdth": 1}, "policy_loss", config.trusted_modules)


def test_a_module_that_is_imported_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own.py").write_text(
        "from harness import register_advantage_function\n\n"
        "@register_advantage_function('mine')\ndef mine(token_level_rewards, index, power=2.0): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import my_own

    monkeypatch.setitem(sys.modules, "my_own", my_own)  # gone with the test
    for plugins in ([], ["plugins=[my_own]"]):  # whether it is read as well or not
        config = compose_config([TINY, "advantage_fn=mine", *plugins])
        assert config.advantage_fn == {"_target_": "my_own.mine", "power": 2.0}
        assert config.trusted_modules == ["my_own"]


def test_a_name_that_a_plugin_has_as_well_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own.py").write_text("@register_advantage_function('mine')\ndef mine(token_level_rewards): ...\n")
    monkeypatch.chdir(tmp_path)

    @register_advantage_function("mine")
    def another(token_level_rewards): ...

    with pytest.raises(
        ConfigurationError, match=r"my_own\.py:2: .* 'mine' is registered in this process too, by .*another"
    ):
        compose_config([TINY, "plugins=[my_own]", "advantage_fn=mine"])


def test_a_name_in_place_of_a_function_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)'mine' is a name.*get_reward_function.*reward_fn=\[mine\]"):
        VERLTrainingManager({}, reward_function="mine")
