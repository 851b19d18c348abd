"""Decorators and look-up."""

from __future__ import annotations

import pytest

from harness import registry
from harness.advantages.rloo import rloo
from harness.backend.steps import AlgorithmSteps
from harness.errors import ConfigurationError
from harness.rewards.exact_match import exact_match


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_registered", {name: {} for name in registry.KINDS})


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
    registry.register_reward_function("mine")(good)  # a module that is run again
    with pytest.raises(ConfigurationError, match=r"register_reward_function\('mine'\): the name is taken by .*\.good"):
        registry.register_reward_function("mine")(lambda input_text, response_text: 0.0)
    with pytest.raises(ConfigurationError, match=r"reward_fn=exact_match is the option .*exact_match\.yaml"):
        registry.register_reward_function("exact_match")(good)


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
