"""Combinations that cannot work, found before anything starts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from omegaconf import DictConfig, open_dict

from harness.check.algorithm import algorithm_problems
from harness.components import by_value
from harness.components.instantiate import component_of
from harness.config.compose import compose_config
from harness.scoring.build import takes_whole_batches

BATCH = """
import harness.reward_managers.per_sample
from harness.reward_managers import per_sample as one_by_one
from harness.reward_managers.per_sample import PerSampleRewardManager

class Whole:
    def score_batch(self, samples): ...

class Classic:
    def __call__(self, data): ...

class Single:
    def score(self, sample): ...

class Heir(Whole):
    def __init__(self, functions, bonus=1.0): ...

class HeirOfAClassic(Classic): ...

class Mine(PerSampleRewardManager): ...

class MineToo(one_by_one.PerSampleRewardManager): ...

class Ours(harness.reward_managers.per_sample.PerSampleRewardManager):
    def __call__(self, data): ...
"""
MANAGERS = {
    "Whole": True, "Classic": True, "Heir": True, "HeirOfAClassic": True,
    "Single": False, "Mine": False, "MineToo": False, "Ours": False,
}  # fmt: skip


def problems(*overrides: str) -> list[str]:
    return [str(problem) for problem in algorithm_problems(compose_config(["experiment=quickstart", *overrides]))]


@pytest.mark.parametrize("algorithm", ["grpo", "rloo", "opo", "gpg", "max_rl", "gdpo", "grpo_passk", "prime", "dapo"])
def test_a_group_of_one_has_nothing_to_compare_with(algorithm: str) -> None:
    (problem,) = problems(f"algorithm={algorithm}", "actor_rollout_ref.rollout.n=1")
    assert "actor_rollout_ref.rollout.n=1" in problem
    assert "Use n of at least 2" in problem


@pytest.mark.parametrize("algorithm", ["ppo", "reinforce_plus_plus", "remax"])
def test_algorithms_without_groups_may_have_one_response(algorithm: str) -> None:
    assert problems(f"algorithm={algorithm}", "actor_rollout_ref.rollout.n=1") == []


@pytest.mark.parametrize("manager", MANAGERS)
@pytest.mark.parametrize("module", ["whole_batches", "whole_batches.py"])
def test_whole_batches_and_dynamic_sampling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manager: str, module: str
) -> None:
    (tmp_path / "whole_batches.py").write_text(BATCH)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "whole_batches", raising=False)
    node = ["reward_manager=custom", f"reward_manager.module={module}", f"reward_manager.function={manager}"]
    config = compose_config(["experiment=quickstart", "algorithm=dapo", *node])
    found = [str(problem) for problem in algorithm_problems(config)]
    assert any("reward_manager scores a whole batch" in problem for problem in found) is MANAGERS[manager]
    component = component_of(config.reward_manager, "reward_manager", config.trusted_modules)
    assert takes_whole_batches(component) is MANAGERS[manager], "what the training itself finds"


def by_value_config(manager: type, *trusted: str) -> DictConfig:
    config = compose_config(["experiment=quickstart", "algorithm=dapo", "reward_manager=verl"])
    with open_dict(config):
        config.reward_manager = {"_target_": by_value.TARGET, "code": by_value.encode(manager, "reward_manager")}
        config.trusted_modules = list(trusted)
    return config


def test_a_manager_that_a_script_hands_over() -> None:
    class Whole:
        def score_batch(self, samples: list) -> list:
            return samples

    (problem,) = algorithm_problems(by_value_config(Whole, by_value.TRUST))
    assert "reward_manager scores a whole batch" in problem.message
    assert list(algorithm_problems(by_value_config(Whole))) == [], "what is not trusted is not even looked at"


@pytest.mark.parametrize(
    "words", [["algorithm=remax"], ["advantage_fn=custom", "advantage_fn.module=whole_batches.py"]]
)
def test_a_greedy_baseline_needs_scores_of_single_responses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    (tmp_path / "whole_batches.py").write_text(f"{BATCH}\ndef mine(token_level_rewards, greedy_scores=None): ...\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (problem,) = problems(*words, "reward_manager._target_=whole_batches.Whole")
    assert "needs the score of a greedy response by itself" in problem
    assert problems(*words, "reward_manager._target_=whole_batches.Single") == []
    (problem,) = problems(*words, "+actor_rollout_ref.rollout.agent.agent_loop_manager_class=mine.Manager")
    assert "does not generate the greedy response" in problem


@pytest.mark.parametrize(
    ("override", "words"),
    [("scoring.on_error=ignore", "Choose one of zero, drop, stop"), ("scoring.processes=0", "more than 0 is needed")],
)
def test_limits_of_scoring(override: str, words: str) -> None:
    assert any(words in problem for problem in problems(override))


LOSSES = """
def plain(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config): ...
def weighted(old_log_prob, log_prob, advantages, response_mask, loss_agg_mode, config, rollout_is_weights=None): ...
def open_ended(log_prob, **rest): ...
"""


@pytest.mark.parametrize(
    ("loss", "correction", "wrong"),
    [
        ("plain", ["rollout_is=token"], True),
        ("plain", [], False),
        ("plain", ["rollout_is=token", "bypass_mode=true"], False),
        ("weighted", ["rollout_is=token"], False),
        ("open_ended", ["rollout_is=token"], False),
    ],
)
def test_importance_weights_need_a_loss_that_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loss: str, correction: list[str], wrong: bool
) -> None:
    (tmp_path / "losses.py").write_text(LOSSES)
    monkeypatch.chdir(tmp_path)
    words = ["policy_loss=custom", "policy_loss.module=losses.py", f"policy_loss.function={loss}"]
    found = problems(*words, *(f"algorithm.rollout_correction.{word}" for word in correction))
    assert [f"losses.py:{loss}) takes no rollout_is_weights" in problem for problem in found] == [True] * wrong


@pytest.mark.parametrize("words", [["algorithm=opo"], ["advantage_fn=opo"]])
def test_opo_makes_one_update_a_step(words: list[str]) -> None:
    mini, epochs = (f"actor_rollout_ref.actor.{word}" for word in ("ppo_mini_batch_size=3", "ppo_epochs=2"))
    found = list(algorithm_problems(compose_config(["experiment=quickstart", *words, mini, epochs])))
    assert [problem.warning for problem in found] == [True, True]
    assert "ppo_mini_batch_size=3: OPO is strictly on-policy" in str(found[0])
    assert problems(*words) == problems("algorithm=opo", "advantage_fn=grpo", mini) == problems(mini, epochs) == []
