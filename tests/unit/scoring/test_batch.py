"""Managers of whole batches with functions that misbehave: each failure costs its response, in real processes."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ComponentError
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.scoring.batch import BatchScoringService
from harness.scoring.failures import FAILED
from harness.scoring.setup import Limits, Setup

CODE = '''
import os

from harness.reward_managers.per_sample import PerSampleRewardManager
from harness.reward_managers.sample import RewardResult


def behave(input_text, response_text, *, ground_truth, per_letter=1.0):
    if response_text == "raise":
        raise ValueError("no such thing")
    while response_text == "hang":
        pass
    if response_text == "eat":
        held = [bytearray(64 << 20) for _ in range(1000)]
    if response_text == "die":
        os.kill(os.getpid(), 9)
    return {"score": per_letter * len(response_text), "acc": 1.0, "form": "plain", "pid": os.getpid()}


async def later(input_text, response_text, **kwargs):
    return 0.5


def number(input_text, response_text, **kwargs):
    if response_text == "raise":
        raise ValueError("no such thing")
    return 2.0


class Ranks:
    """The longest response of each prompt gets 1."""

    def __init__(self, functions, bonus=0.0):
        self.single, self.bonus = PerSampleRewardManager(functions), bonus

    def score_batch(self, samples):
        results = [self.single.score(sample) for sample in samples]
        best = max(result.score for result in results)
        return [RewardResult(float(each.score == best) + self.bonus, each.extra) for each in results]


class Returns:
    """What the first response says."""

    def __init__(self, functions):
        pass

    def score_batch(self, samples):
        return {
            "few": lambda: [],
            "none": lambda: None,
            "nan": lambda: [RewardResult(0.0, {}, token_rewards=(1.0, float("nan")))],
            "number": lambda: [1.0],
            "raise": lambda: 1 / 0,
        }[samples[0].response_text]()


class Direct:
    """Calls the function itself, with its own text, from several threads."""

    def __init__(self, functions, prefix=""):
        self.function, self.prefix = functions[0].function, prefix

    def score_batch(self, samples):
        from concurrent.futures import ThreadPoolExecutor

        def score(sample):
            found = self.function(sample.input_text, self.prefix + sample.response_text, ground_truth="7")
            value = found["score"] if isinstance(found, dict) else found
            return RewardResult(value, {"acc": 1.0, "pid": os.getpid()})

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(score, samples))
'''
Make = Callable[..., BatchScoringService]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    (tmp_path / "batches.py").write_text(CODE)
    made: list[BatchScoringService] = []

    def service(
        manager: str = "Ranks", functions: tuple[str, ...] = ("behave",), parameters: Any = None, **limits: Any
    ) -> BatchScoringService:
        setup = Setup(
            functions={name: {"_target_": f"batches.{name}"} for name in functions},
            manager={"_target_": f"batches.{manager}", **(parameters or {})},
            trusted=["batches"],
            memory_bytes=512 << 20,
            search_path=[str(tmp_path), *sys.path],
        )
        made.append(BatchScoringService(setup, Limits(**{"timeout_seconds": 30.0, "score": -1.0, **limits})))
        return made[-1]

    yield service
    for each in made:
        for pool in (each.manager, each.functions):
            pool.executor.submit(lambda own=pool.own: own.process.close()).result()
        each.close()


def samples(*texts: str) -> list[RewardSample]:
    return [RewardSample(f"question {row}", text, ground_truth="7") for row, text in enumerate(texts)]


def test_a_whole_batch(make: Make) -> None:
    results = make(parameters={"bonus": 0.5}).score_batch(samples("a", "abc"))
    assert [result.score for result in results] == [0.5, 1.5]
    assert [result.extra[FAILED] for result in results] == [0.0, 0.0]
    assert results[0].extra["acc"] == 1.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise", "ValueError in reward_fn.behave: no such thing (batches.py:10)"),
        ("hang", "it took more than 1 s"),
        ("eat", "it needed more memory than scoring.memory_gb allows"),
        ("die", "its process was ended by signal 9"),
    ],
)
def test_a_failure_costs_one_response(make: Make, caplog: pytest.LogCaptureFixture, text: str, reason: str) -> None:
    service = make(**({"timeout_seconds": 1.0} if text == "hang" else {}))
    with caplog.at_level(logging.WARNING):
        results = service.score_batch(samples("a", text, "abc"))
    assert [result.score for result in results] == [0.0, -1.0, 1.0]
    assert [result.extra[FAILED] for result in results] == [0.0, 1.0, 0.0]
    assert results[1].extra["acc"] == 0.0
    (line,) = caplog.messages
    assert reason in line
    assert "ground truth '7'" in line
    assert [result.score for result in service.score_batch(samples("a", "abc"))] == [0.0, 1.0]


def test_calls_have_limits_of_their_own(make: Make) -> None:
    service = make(timeout_seconds=1.0, batch_timeout_seconds=1.5)
    started = time.monotonic()
    results = service.score_batch(samples("a", "hang", "hang"))
    assert [result.extra[FAILED] for result in results] == [0.0, 1.0, 1.0]
    assert time.monotonic() - started > 2.0


def test_a_failure_can_stop_the_run(make: Make) -> None:
    service = make(on_error="stop")
    with pytest.raises(ComponentError, match=r"a response could not be scored: ValueError in reward_fn\.behave"):
        service.score_batch(samples("a", "raise"))
    assert [result.score for result in service.score_batch(samples("a", "abc"))] == [0.0, 1.0]


def test_a_function_that_always_fails_ends_the_run(make: Make) -> None:
    with pytest.raises(ComponentError, match="none of the first 16 responses could be scored"):
        make().score_batch(samples(*["raise"] * 16))


def test_several_functions_and_the_same_response_twice(make: Make) -> None:
    """A response that two functions fail for is one; each of two with the same text is told from the other."""
    batch = [*samples("a", "raise", "abc"), *samples("a", "raise")]
    results = make(functions=("behave", "number")).score_batch(batch)
    assert [result.extra[FAILED] for result in results] == [0.0, 1.0, 0.0, 0.0, 1.0]
    assert results[0].extra["reward_fn/number"] == 2.0


def test_a_coroutine_function_is_awaited(make: Make) -> None:
    assert [result.score for result in make(functions=("later",)).score_batch(samples("a"))] == [1.0]


@pytest.mark.parametrize(("function", "scores"), [("behave", [1.0, -1.0, 3.0]), ("number", [2.0, -1.0, 2.0])])
def test_a_manager_may_call_functions_itself(make: Make, function: str, scores: list[float]) -> None:
    service = make("Direct", (function,))
    service.score_batch(samples("a"))
    results = service.score_batch(samples("a", "raise", "abc"))
    assert [result.score for result in results] == scores
    assert [result.extra[FAILED] for result in results] == [0.0, 1.0, 0.0]


def test_a_text_of_the_managers_own(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    """No response can be told: it is named in the log, and where its group has to go, the run ends."""
    batch = samples("a", "se")  # with the prefix it is "raise", as no response is
    service = make("Direct", ("number",), parameters={"prefix": "rai"})
    assert [result.score for result in service.score_batch(batch)] == [2.0, -1.0]
    service = make("Direct", ("number",), parameters={"prefix": "rai"}, on_error="drop")
    assert service.score_batch(batch)[1].extra[FAILED] == 1.0  # "se" is held by the text
    batch = [RewardSample("q", ""), *samples("b")]
    service = make("Direct", ("number",), parameters={"prefix": "raise"}, on_error="drop")
    with pytest.raises(ComponentError, match=r"reward_fn\.number could not score a text that is no response"):
        service.score_batch(batch)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("few", "0 results came back for 1 responses"),
        ("none", "NoneType results came back for 1 responses"),
        ("nan", r"it gave RewardResult\.token_rewards\[1\] = nan, not a finite number"),
        ("number", "1.0 came back for a response, not a RewardResult"),
        ("raise", "a batch of 1 responses could not be scored: ZeroDivisionError"),
    ],
)
def test_the_managers_own_failures_end_the_run(make: Make, text: str, words: str) -> None:
    with pytest.raises(ComponentError, match=words):
        make("Returns").score_batch(samples(text))


def test_a_manager_sees_what_its_functions_take(make: Make) -> None:
    """`PerSampleRewardManager` gives a function only what it names: ``behave`` takes no ``data_source``."""
    result: RewardResult = make().score_batch(samples("abc"))[0]
    assert result.extra["form"] == "plain"


def test_functions_that_cannot_be_built_are_named(make: Make) -> None:
    with pytest.raises(ComponentError, match=r"reward_fn\.behaved\._target_: batches has no 'behaved'"):
        make(functions=("behaved",))
