"""The examples of docs/guides: they compose, pass the check, and compute what they say."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from guides import GUIDES, commands, write_files

from harness.backend.advantages import call_advantage_fn
from harness.check.find import find_problems
from harness.components.instantiate import instantiate
from harness.config.compose import compose_config
from harness.reward_managers.per_sample import WeightedFunction
from harness.reward_managers.sample import RewardSample

PAGES = sorted(page.stem for page in GUIDES.glob("*.md") if "```python" in page.read_text())


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for page in PAGES:
        write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_composes_and_passes_the_check(page: str) -> None:
    assert commands(page)
    for command in commands(page):
        program, verb, *overrides = shlex.split(command)
        assert (program, verb) == ("harness", "train")
        assert [str(problem) for problem in find_problems(compose_config(overrides))] == []


def node(*overrides: str) -> dict:
    return compose_config(["experiment=quickstart_tiny", *overrides])


def test_reward() -> None:
    config = node("plugins=[my_rewards]", "reward_fn=[brevity]", "reward_fn.brevity.best=2")
    parameters = {name: value for name, value in config.reward_fn.brevity.items() if name != "weight"}
    brevity = instantiate(parameters, "reward_fn.brevity", ["my_rewards"])
    assert brevity("question", "ab") == 1.0
    assert brevity("question", "abcd") == pytest.approx(0.8)


def test_reward_managers() -> None:
    functions = [WeightedFunction("size", lambda input_text, response_text, **_: float(len(response_text)))]
    config = node("plugins=[my_managers]", "reward_manager=doubtful")
    doubtful = instantiate(config.reward_manager, "reward_manager", ["my_managers"], functions=functions)
    result = doubtful.score(RewardSample("q", "a?b"))
    assert (result.score, result.extra["doubts"]) == (3.0, 1.0)
    assert (result.segments[0].start, result.segments[0].reward) == (1, -0.1)
    config = node("plugins=[my_managers]", "reward_manager=by_rank")
    by_rank = instantiate(config.reward_manager, "reward_manager", ["my_managers"], functions=functions)
    samples = [RewardSample("q", "a", uid="1"), RewardSample("q", "ab", uid="1"), RewardSample("q", "a", uid="2")]
    assert [result.score for result in by_rank.score_batch(samples)] == [0.0, 1.0, 1.0]


def test_advantage() -> None:
    config = node("plugins=[my_advantages]", "advantage_fn=ranked")
    batch = {
        "token_level_rewards": torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.0, 3.0]]),
        "response_mask": torch.ones(3, 2, dtype=torch.long),
        "uid": np.array(["a", "a", "b"], dtype=object),
    }
    advantages, _ = call_advantage_fn(instantiate(config.advantage_fn, "advantage_fn", ["my_advantages"]), batch)
    assert advantages.abs().max() < 1e-6  # equal scores, and a group of one
    batch["token_level_rewards"][0, 1] = 2.0
    advantages, _ = call_advantage_fn(instantiate(config.advantage_fn, "advantage_fn", ["my_advantages"]), batch)
    assert advantages[0, 0] > 0 > advantages[1, 0]


def test_algorithm() -> None:
    config = node("plugins=[my_algorithm]", "algorithm=half_solved")
    assert config.algorithm.norm_adv_by_std_in_grpo is False
    assert instantiate(config.algorithm_steps, "algorithm_steps", ["my_algorithm"]).oversample == 2
