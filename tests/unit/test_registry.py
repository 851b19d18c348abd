"""Decorators and look-up."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from harness import registry
from harness.advantages.rloo import rloo
from harness.backend.steps import AlgorithmSteps
from harness.errors import ConfigurationError
from harness.rewards.exact_match import exact_match


def good(input_text: str, response_text: str, **kwargs: object) -> float:
    return 1.0


def test_a_decorated_function_is_found_and_unchanged() -> None:
    assert registry.register_reward_function("mine")(good) is good
    assert registry.get_reward_function("mine") is good
    assert "mine" in registry.list_components()["reward_function"]
    registry.register_reward_function()(good)
    assert registry.get_reward_function("good") is good


def test_shipped_components_are_found_too() -> None:
    assert registry.get_reward_function("exact_match") is exact_match
    assert registry.get_advantage_function("rloo") is rloo
    assert registry.get_algorithm("prime").__name__ == "PrimeSteps"
    assert {"exact_match", "math_answer"} <= set(registry.list_components()["reward_function"])


def test_a_name_is_given_once() -> None:
    registry.register_reward_function("mine")(good)
    registry.register_reward_function("mine")(good)
    with pytest.raises(ConfigurationError, match=r"register_reward_function\('mine'\): the name is taken by .*\.good"):
        registry.register_reward_function("mine")(lambda input_text, response_text: 0.0)
    with pytest.raises(ConfigurationError, match=r"reward_fn=exact_match is the option .*exact_match\.yaml"):
        registry.register_reward_function("exact_match")(good)


GOOD = """
from harness import register_reward_function

{before}
@register_reward_function("mine")
def good(input_text, response_text, **kwargs):
    return {score}
"""
LOOP = """
from harness import register_reward_function

for bonus in (0.0, 1.0):
    @register_reward_function("mine")
    def good(input_text, response_text, bonus=bonus, **kwargs):
        return bonus
"""


def run_file(file: Path, source: str, name: str = "my_rewards") -> ModuleType:
    """A file of this source as a module of this name, whatever another one of the name holds."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(source)
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_module_that_is_edited_and_run_again_takes_the_place_of_itself(tmp_path: Path) -> None:
    run_file(tmp_path / "my_rewards.py", GOOD.format(before="", score=1.0))
    run_file(tmp_path / "my_rewards.py", GOOD.format(before="LINE = 1\n\n", score=2.0))
    assert registry.get_reward_function("mine")("", "") == 2.0


def test_a_cell_of_a_notebook_that_is_run_again_takes_the_place_of_itself() -> None:
    for number, score in enumerate((1.0, 2.0)):
        exec(
            compile(GOOD.format(before="", score=score), f"<ipython-input-{number}>", "exec"), {"__name__": "__main__"}
        )
    assert registry.get_reward_function("mine")("", "") == 2.0


def test_two_functions_of_one_name_are_told_with_their_places(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "my_rewards.py", tmp_path / "other" / "my_rewards.py"
    run_file(one, GOOD.format(before="", score=1.0))
    with pytest.raises(ConfigurationError) as caught:
        run_file(other, GOOD.format(before="\n", score=2.0))
    assert f"taken by my_rewards.good ({one}:5); this is my_rewards.good ({other}:6)." in str(caught.value)
    twice = GOOD.format(before="", score=1.0) + GOOD.format(before="", score=2.0)
    with pytest.raises(ConfigurationError, match=r"twice\.py:5\); this is twice\.good \(.*twice\.py:12\)"):
        run_file(tmp_path / "twice.py", twice.replace('"mine"', '"another"'), "twice")


def test_a_loop_that_makes_several_of_one_name_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"made there several times, .*: give each a name of its own"):
        run_file(tmp_path / "loop.py", LOOP)
    run_file(tmp_path / "loop.py", LOOP.replace('"mine"', 'f"mine_{bonus:.0f}"'))
    assert [registry.get_reward_function(f"mine_{number}")("", "") for number in (0, 1)] == [0.0, 1.0]


def test_what_has_no_name_needs_one() -> None:
    half = functools.partial(good, weighting=0.5)
    with pytest.raises(ConfigurationError, match="needs a name"):
        registry.register_reward_function()(half)
    assert registry.register_reward_function("half")(half) is half
    with pytest.raises(ConfigurationError, match="the name is taken"):
        registry.register_reward_function("half")(functools.partial(good, weighting=0.7))
    with pytest.raises(ConfigurationError, match=r"Write @register_reward_function\(\), with parentheses"):
        registry.register_reward_function(good)


def test_an_algorithm_builds_on_one_that_there_is() -> None:
    with pytest.raises(
        ConfigurationError, match=r"(?s)base='gpro' is no algorithm .*Did you mean grpo.*\?.*Allowed: .*ppo"
    ):
        registry.register_algorithm("watchful", base="gpro")(Watchful)
    with pytest.raises(ConfigurationError, match="base='watchful' is no algorithm"):
        registry.register_algorithm("watchful", base="watchful")(Watchful)
    registry.register_algorithm("watchful", base="dapo")(Watchful)
    registry.register_algorithm("more", base="watchful")(Watchful)
    with pytest.raises(ConfigurationError, match="the weight of a reward function is not its own"):
        registry.register_reward_function("heavy")(lambda input_text, response_text, weight=2.0: 0.0)


class Scores:
    def score(self, sample: object) -> object: ...


class Classic:
    def __call__(self, data: object) -> object: ...


class Watchful(AlgorithmSteps): ...


FITTING = [
    ("reward_function", lambda data_source, solution_str, ground_truth, extra_info=None: 0.0),
    ("reward_function", lambda input_text, response_text, ground_truth, bonus=1.0: 0.0),
    ("reward_manager", Scores),
    ("reward_manager", Classic),
    ("advantage_function", lambda token_level_rewards, eos_mask, index, epsilon=1e-6: None),
    ("policy_loss", lambda old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, **_: None),
    ("policy_loss", lambda old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, width=0.2: None),
    ("algorithm", Watchful),
]
NOT_FITTING = [
    ("reward_function", lambda text: 0.0, r"it must take \(input_text, response_text"),
    ("reward_function", lambda input_text, response_text, mystery: 0.0, "nothing gives it mystery"),
    ("reward_manager", good, "it must be a class with score"),
    ("advantage_function", good, "x"),
    (
        "policy_loss",
        lambda log_prob, advantages: 0.0,
        "it must take old_log_prob, response_mask, loss_agg_mode, config",
    ),
    (
        "policy_loss",
        lambda old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, width: None,
        "nothing gives it width",
    ),
    ("algorithm", Scores, "a subclass of harness.backend.steps.AlgorithmSteps"),
    ("manager", Scores, "a class with train, evaluate, save and load"),
]
NOT_FITTING[3] = ("advantage_function", lambda rewards: 0.0, "it must take token_level_rewards")


@pytest.mark.parametrize(("kind", "thing"), FITTING)
def test_what_fits(kind: str, thing: object) -> None:
    assert registry.register(kind, "mine")(thing) is thing


@pytest.mark.parametrize(("kind", "thing", "words"), NOT_FITTING)
def test_a_wrong_signature_is_refused_where_it_is_declared(kind: str, thing: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        registry.register(kind, "mine")(thing)


def test_unknown_names_get_suggestions() -> None:
    with pytest.raises(ConfigurationError, match="exact_match"):
        registry.get_reward_function("exact_mach")
    with pytest.raises(ConfigurationError, match="reward_function"):
        registry.register("reward_fucntion")
    with pytest.raises(ConfigurationError, match="algorithm=ppo is made of keys alone"):
        registry.get_algorithm("ppo")
