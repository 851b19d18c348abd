"""Parameters against signatures, before anything is imported."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from harness.check.targets import target_problems
from harness.config.compose import compose_config, resolved_tree
from harness.rewards.extract import RULES, Rule

MODULE = """
raise RuntimeError("not to be imported")

import typing
from typing import Annotated, Literal
from annotated_types import Ge, Gt, Interval

Rule = Literal["auto", "tag", 3]
Share = Annotated[float, Interval(ge=0, lt=1)]

def score(input_text, response_text, *, bonus: float = 1.0, times: int | None = 2, mode: str = "a", exact: bool = True,
          rule: Rule = "auto", share: Share = 0.5, many: Annotated[int, Ge(1)] | None = None, limit: Gt = None,
          unit: typing.Literal["words"] | None = None):
    ...

def open_ended(input_text, response_text, **kwargs): ...

class Manager:
    def __init__(self, functions, factor: float = 1.0): ...
    def score(self, sample): ...
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "typed_parts.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def problems(*overrides: str) -> list[str]:
    words = ["experiment=quickstart_tiny", "trusted_modules=[typed_parts]", *overrides]
    return [str(problem) for problem in target_problems(resolved_tree(compose_config(words)))]


SCORE = ("reward_fn=[custom]", "reward_fn.custom.module=typed_parts", "reward_fn.custom.function=score")


@pytest.mark.parametrize(
    "value",
    [
        "bonus=2",
        "bonus=0.5",
        "times=null",
        "times=3",
        "mode=b",
        "exact=false",
        "rule=tag",
        "rule=3",
        "share=0",
        "many=null",
        "many=1",
        "limit=9",
        "unit=words",
        "bonus=inf",
    ],
)
def test_what_fits(value: str) -> None:
    assert problems(*SCORE, f"+reward_fn.custom.{value}") == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("bonuss=2", "reward_fn.custom.bonuss: typed_parts.score takes no parameter 'bonuss'"),
        ("bonus=much", "reward_fn.custom.bonus='much': float is needed."),
        ("bonus=true", "reward_fn.custom.bonus=True: float is needed."),
        ("times=0.5", "reward_fn.custom.times=0.5: int | None is needed."),
        ("exact=1", "reward_fn.custom.exact=1: bool is needed."),
        ("mode=7", "reward_fn.custom.mode=7: str is needed."),
        ("bonus=nan", "reward_fn.custom.bonus=nan: float is needed."),
        ("rule=tags", "reward_fn.custom.rule='tags': one of auto, tag, 3 is needed."),
        ("share=1", "reward_fn.custom.share=1: float of at least 0 and below 1 is needed."),
        ("share=much", "reward_fn.custom.share='much': float of at least 0 and below 1 is needed."),
        ("many=0", "reward_fn.custom.many=0: int of at least 1 | None is needed."),
        ("unit=ells", "reward_fn.custom.unit='ells': one of words | None is needed."),
    ],
)
def test_what_does_not(value: str, words: str) -> None:
    (problem,) = problems(*SCORE, f"+reward_fn.custom.{value}")
    assert words in problem


def test_other_components() -> None:
    assert problems("reward_fn=[custom]", "reward_fn.custom.module=typed_parts", "reward_fn.custom.function=open_ended",
                    "+reward_fn.custom.anything=1") == []  # fmt: skip
    (problem,) = problems("reward_manager._target_=typed_parts.Manager", "+reward_manager.factr=2.0")
    assert "Did you mean factor?" in problem
    (problem,) = problems("advantage_fn=grpo", "advantage_fn.epsilon=small")
    assert "advantage_fn.epsilon='small': float of at least 0 is needed." in problem
    (problem,) = problems("algorithm=prime", "algorithm_steps.beta=none")
    assert "algorithm_steps.beta='none': float above 0 is needed." in problem


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reward_fn=exact_match", "reward_fn.exact_match.extract=nonsense"], "one of auto, number, tag, mark, whole"),
        (["reward_fn.reasoning_gym.extract=nonsense"], "one of auto, number, tag, mark, whole"),
        (["reward_manager=overlong", "reward_manager.buffer_length=0"], "buffer_length=0: int of at least 1 | None"),
        (["reward_manager=overlong", "reward_manager.buffer_length=999"], "between 1 and max_response_length="),
        (["reward_manager=overlong", "reward_manager.penalty=-1"], "penalty=-1: float of at least 0"),
        (["policy_loss=gmpo", "policy_loss.clip_low=-0.1"], "clip_low=-0.1: float of at least 0"),
        (["advantage_fn=gpg", "advantage_fn.f_norm=0"], "f_norm=0: float above 0"),
    ],
)
def test_ranges_and_choices_of_shipped_components(words: list[str], message: str) -> None:
    (problem,) = problems(*words)
    assert message in problem


def test_the_rules_are_those_that_the_annotation_names() -> None:
    assert set(get_args(Rule)) == {"auto", *RULES}
