"""``advantage_fn=custom advantage_fn.module=…``: by dotted name or path, with and without a function's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from harness.check.find import find_problems
from harness.components.instantiate import instantiate
from harness.config.compose import compose_config
from harness.errors import ComponentError, ConfigurationError

ONE = """
import torch

def helper(a): ...

def compute_custom_advantage(token_level_rewards, eos_mask, index, epsilon=1e-6):
    return token_level_rewards * 2, token_level_rewards

def _hidden(token_level_rewards, eos_mask, index): ...
"""
TWO = """
def grpo_advantage(token_level_rewards, eos_mask, index): ...
def compute_rloo(token_level_rewards, response_mask, index): ...
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "one.py").write_text(ONE)
    (tmp_path / "two.py").write_text(TWO)
    (tmp_path / "none.py").write_text("def f(x): ...")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def compose(*words: str):
    return compose_config(["experiment=quickstart_tiny", "advantage_fn=custom", *words])


def test_a_file_by_its_path(project: Path) -> None:
    config = compose("advantage_fn.module=one.py", "+advantage_fn.epsilon=0.1")
    assert config.advantage_fn == {"_target_": f"{project}/one.py:compute_custom_advantage", "epsilon": 0.1}
    assert config.trusted_modules == [f"{project}/one.py"]
    assert find_problems(config) == []
    function = instantiate(config.advantage_fn, "advantage_fn", config.trusted_modules)
    advantages, _ = function(torch.ones(1, 1), None, None)
    assert advantages.item() == 2.0
    with pytest.raises(ComponentError, match="outside the trusted modules"):
        instantiate(config.advantage_fn, "advantage_fn")


def test_a_module_by_its_name() -> None:
    config = compose("advantage_fn.module=one", "advantage_fn.function=compute_custom_advantage")
    assert config.advantage_fn._target_ == "one.compute_custom_advantage"
    assert config.trusted_modules == ["one"]


def test_of_several_the_one_with_the_algorithms_name() -> None:
    assert compose("advantage_fn.module=two").advantage_fn._target_ == "two.grpo_advantage"
    assert compose("advantage_fn.module=two", "algorithm=rloo").advantage_fn._target_ == "two.compute_rloo"
    with pytest.raises(ConfigurationError, match="grpo_advantage, compute_rloo fit equally well for algorithm=opo"):
        compose("advantage_fn.module=two", "algorithm=opo")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["advantage_fn.module=none"], "nothing in it looks like this kind"),
        (["advantage_fn.module=missing"], "advantage_fn.module: there is no module missing"),
        (["advantage_fn.module=missing.py"], r"there is no file .*missing\.py"),
    ],
)
def test_what_cannot_be_found(words: list[str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        compose(*words)


def test_the_check_sees_a_name_that_is_not_there() -> None:
    config = compose("advantage_fn.module=one.py", "advantage_fn.function=compute")
    assert "has no 'compute'" in str(find_problems(config)[0])


def test_rewards_managers_and_losses_too(project: Path) -> None:
    (project / "parts.py").write_text(
        "def score(input_text, response_text): ...\n"
        "def loss(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config): ...\n"
        "class Manager:\n    def __call__(self, data): ...\n"
    )
    config = compose_config(
        [
            "experiment=quickstart_tiny", "reward_fn=[custom]", "reward_fn.custom.module=parts",
            "policy_loss=custom", "policy_loss.module=parts", "reward_manager=custom", "reward_manager.module=parts.py",
        ]
    )  # fmt: skip
    assert config.reward_fn.custom == {"_target_": "parts.score", "weight": 1.0}
    assert config.policy_loss._target_ == "parts.loss"
    assert config.reward_manager._target_ == f"{project}/parts.py:Manager"
    assert find_problems(config) == []


def test_yaml_cannot_give_trust(project: Path) -> None:
    folder = project / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "sly.yaml").write_text("# @package _global_\ntrusted_modules: [one]\n")
    with pytest.raises(ConfigurationError, match="trust is given on the command line alone"):
        compose_config(["experiment=sly"])
    (folder / "quiet.yaml").write_text(
        "# @package _global_\ndefaults:\n  - quickstart_tiny\n  - override /advantage_fn: custom\n  - _self_\n"
        "advantage_fn:\n  module: one.py\n"
    )
    config = compose_config(["experiment=quiet"])
    assert any("outside the trusted modules" in str(problem) for problem in find_problems(config))
