"""A value set in place gives the very configuration that Hydra composes with it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harness.check.find import find_problems
from harness.config.compose import compose_config, resolved_tree
from harness.config.variants import Variants, frame, plain_value
from harness.errors import ConfigurationError

TINY = "experiment=quickstart_tiny"
AXES = {
    "seed": ["1", "7"],
    "data.train_batch_size": ["8", "16", "0"],
    "actor_rollout_ref.actor.optim.lr": ["1e-6", "3e-4", "fast"],
    "actor_rollout_ref.rollout.n": ["1", "4"],
    "actor_rollout_ref.actor.ppo_mini_batch_size": ["${data.train_batch_size}", "8"],
    "actor_rollout_ref.actor.clip_ratio_high": ["0.28", "null"],
    "actor_rollout_ref.rollout.temperature": ["1.0", "0.7"],
    "trainer.total_epochs": ["2", "'3'"],
    "device": ["cpu", "cuda"],
    "trainer.logger": ["[console]", "[console,wandb]"],
    "algorithm": ["grpo", "dapo", "ppo", "prime"],
    "cluster.time": ["1:00:00", "90"],
    "+trainer.extra": ["1", "2"],
    "model": ["quickstart_tiny", "files"],
    "reward_fn": ["math_answer", "[math_answer,format_tags]"],
    "name": ["a", "b c"],
}


def _composed(words: list[str]) -> object:
    try:
        config = compose_config(words)
        return resolved_tree(config), [str(problem) for problem in find_problems(config, words)]
    except ConfigurationError as error:
        return str(error)


def _in_place(words: list[str], differs: list[str], first: list[str], first_differs: list[str]) -> object:
    try:
        with Variants(first, first_differs).at(words, differs) as (config, origins):
            tree = resolved_tree(config)
            return tree, [str(problem) for problem in find_problems(config, words, origins, tree)]
    except ConfigurationError as error:
        return str(error)


@pytest.mark.parametrize("number", range(24))
def test_equal_to_what_hydra_composes(number: int) -> None:
    draw = random.Random(number)
    keys = draw.sample(sorted(AXES), draw.randint(1, 4))
    plain = [key for key in keys if plain_value(f"{key}={AXES[key][0]}")]
    fixed = {key: draw.choice(AXES[key]) for key in keys}
    one, other = ({key: draw.choice(AXES[key]) for key in plain} for _ in range(2))
    words, first = ([TINY, *(f"{key}={value}" for key, value in {**fixed, **each}.items())] for each in (one, other))
    differs, first_differs = ([f"{key}={value}" for key, value in each.items()] for each in (one, other))
    assert frame(words, differs) == frame(first, first_differs)
    try:
        compose_config(first)
    except ConfigurationError:
        first, first_differs = words, differs
    assert _in_place(words, differs, first, first_differs) == _composed(words)


def test_nothing_is_left_behind() -> None:
    words = [TINY, "seed=1", "data.train_batch_size=16"]
    variants = Variants(words, words[1:])
    with variants.at(words, words[1:]) as (config, _):
        before = resolved_tree(config)
    other = [TINY, "seed=2", "data.train_batch_size=8"]
    with variants.at(other, other[1:]) as (config, _):
        assert (config.seed, config.data.train_batch_size) == (2, 8)
    with variants.at(words, words[1:]) as (config, _):
        assert resolved_tree(config) == before


@pytest.mark.parametrize(
    "word",
    ["algorithm=grpo", "+trainer.x=1", "~trainer.x", "reward_fn=[a,b]", "x={a: 1}", "plugins=mine", "a@b=c", "a/b=c"],
)
def test_what_is_no_plain_value(word: str) -> None:
    assert plain_value(word) is None


@pytest.mark.parametrize(
    "words",
    [
        [TINY, "trainer.typo=1"],  # not there: composing says so
        [TINY, "data=1"],  # a section
        [TINY, "seed=1", "seed=2"],  # the last one wins
        [TINY, "actor_rollout_ref.rollout.n=2", "actor_rollout_ref.rollout={n: 4}"],
    ],
)
def test_what_composing_decides_is_composed(words: list[str], tmp_path: Path) -> None:
    assert _in_place(words, words[1:2], words, words[1:2]) == _composed(words)
