"""Parameters against signatures, before anything is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.check.targets import target_problems
from harness.config.compose import compose_config, resolved_tree

MODULE = """
raise RuntimeError("not to be imported")

def score(input_text, response_text, *, bonus: float = 1.0, times: int | None = 2, mode: str = "a", exact: bool = True):
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


@pytest.mark.parametrize("value", ["bonus=2", "bonus=0.5", "times=null", "times=3", "mode=b", "exact=false"])
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
    assert "advantage_fn.epsilon='small': float is needed." in problem
    (problem,) = problems("algorithm=prime", "algorithm_steps.beta=none")
    assert "algorithm_steps.beta='none': float is needed." in problem
