"""Real scoring processes with functions that misbehave."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from harness.errors import ComponentError, ConfigurationError
from harness.reward_managers.sample import RewardResult, RewardSample
from harness.scoring.failures import FAILED
from harness.scoring.service import ScoringService
from harness.scoring.setup import Limits, Setup

FUNCTIONS = """
import os, time

def behave(input_text, response_text, **kwargs):
    if response_text == "raise":
        raise ValueError("no such thing")
    if response_text == "hang":
        while True:
            pass
    if response_text == "eat":
        held = [bytearray(64 << 20) for _ in range(1000)]
    if response_text == "die":
        os.kill(os.getpid(), 9)
    if response_text == "unscorable":
        from harness.errors import UnscorableSample

        raise UnscorableSample("the reference is no number.", "Mend the data.")
    if response_text == "text":
        return "much"
    return {"score": float(len(response_text)), "acc": 1.0, "pid": os.getpid()}

def starts(input_text, response_text, **kwargs):
    import subprocess

    subprocess.run(["sleep", "86399"])

async def later(input_text, response_text, **kwargs):
    return 0.5
"""

Make = Callable[..., ScoringService]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    (tmp_path / "misbehaving.py").write_text(FUNCTIONS)
    made = []

    def service(function: str = "behave", **limits: object) -> ScoringService:
        setup = Setup(
            functions={"mine": {"_target_": f"misbehaving.{function}", "weight": 2.0}},
            trusted=["misbehaving"],
            memory_bytes=512 << 20,
            search_path=[str(tmp_path), *sys.path],
        )
        made.append(ScoringService(setup, Limits(**{"timeout_seconds": 30.0, **limits})))
        return made[-1]

    yield service
    for each in made:
        each.executor.submit(lambda own=each.pool.own: own.process.close()).result()
        each.close()


def score(service: ScoringService, text: str) -> RewardResult:
    return service.executor.submit(service.score, RewardSample("question", text, ground_truth="7")).result()


def test_scores_in_another_process(make: Make) -> None:
    result = score(make(), "abc")
    assert result.score == 6.0
    assert result.extra["pid"] != os.getpid()
    assert result.extra[FAILED] == 0.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise", r"ValueError in reward_fn.mine: no such thing \(misbehaving.py:6\)"),
        ("hang", "it took more than 1 s"),
        ("eat", "it needed more memory than scoring.memory_gb allows"),
        ("die", "its process was ended by signal 9"),
        ("unscorable", r"could not be scored: in reward_fn.mine: the reference is no number\. Its data_source"),
    ],
)
def test_a_failure_costs_one_sample(make: Make, caplog: pytest.LogCaptureFixture, text: str, reason: str) -> None:
    service = make(score=-1.0, **({"timeout_seconds": 1.0} if text == "hang" else {}))
    score(service, "a")
    with caplog.at_level(logging.WARNING):
        failed = score(service, text)
    assert (failed.score, failed.extra["acc"], failed.extra[FAILED]) == (-1.0, 0.0, 1.0)
    (line,) = caplog.messages
    assert __import__("re").search(reason, line), line
    assert "ground truth '7'" in line
    assert score(service, "ab").score == 4.0  # the next one is scored as if nothing had been


def test_a_failure_can_stop_the_run(make: Make) -> None:
    service = make(on_error="stop")
    with pytest.raises(ComponentError, match=r"a response could not be scored: ValueError in reward_fn\.mine"):
        score(service, "raise")


def test_a_wrong_result_always_stops_it(make: Make) -> None:
    with pytest.raises(ComponentError, match=r"reward_fn\.mine returned 'much', not a number"):
        score(make(), "text")


def test_a_function_that_cannot_be_built_is_named_at_once(make: Make) -> None:
    with pytest.raises(ComponentError, match=r"reward_fn\.mine\._target_: misbehaving has no 'behaved'"):
        make("behaved")


def test_a_coroutine_function_is_awaited(make: Make) -> None:
    assert score(make("later"), "x").score == 1.0


def test_processes_work_side_by_side(make: Make) -> None:
    service = make(processes=2, timeout_seconds=4.0)
    score(service, "warm")
    started = time.monotonic()
    both = [service.executor.submit(service.score, RewardSample("q", "hang")) for _ in range(2)]
    assert [result.result().extra[FAILED] for result in both] == [1.0, 1.0]
    assert time.monotonic() - started < 7.5


def test_its_processes_end_with_it(tmp_path: Path) -> None:
    """Even one whose scorer hangs, when its owner is killed."""
    (tmp_path / "misbehaving.py").write_text(FUNCTIONS)
    script = f"""
import sys, threading
sys.path.insert(0, {str(tmp_path)!r})
from harness.scoring.service import ScoringService
from harness.scoring.setup import Limits, Setup
from harness.reward_managers.sample import RewardSample
setup = Setup(functions={{"mine": {{"_target_": "misbehaving.behave"}}}}, trusted=["misbehaving"], search_path=sys.path)
service = ScoringService(setup, Limits(timeout_seconds=600))
service.executor.submit(service.score, RewardSample("q", "hang"))
print("ready", flush=True)
threading.Event().wait()
"""
    import subprocess

    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    (child,) = psutil.Process(owner.pid).children()
    owner.kill()
    owner.wait()
    _, alive = psutil.wait_procs([child], timeout=20)
    assert not alive


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"on_error": "ignore"}, "Choose one of zero, drop, stop"),
        ({"timeout_seconds": 0}, "more than 0 is needed"),
        ({"score": float("nan")}, r"scoring\.score=nan: a finite number is needed"),
        ({"memory_gb": "much"}, r"scoring\.memory_gb=much: a finite number is needed"),
        ({"processes": 1.5}, r"scoring\.processes=1\.5: a whole number is needed"),
    ],
)
def test_limits_are_checked(limits: dict, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Limits(**limits)


def test_a_function_that_always_fails_ends_the_run(make: Make) -> None:
    service = make()
    for _ in range(15):
        assert score(service, "raise").extra[FAILED] == 1.0
    with pytest.raises(ComponentError, match=r"none of the first 16 responses could be scored\. .*no such thing"):
        score(service, "raise")


def test_what_a_scorer_starts_ends_with_it(make: Make) -> None:
    service = make("starts")
    assert score(service, "sleep").extra[FAILED] == 1.0
    alive = [process.info for process in psutil.process_iter(["status", "cmdline"])]
    zombie = psutil.STATUS_ZOMBIE
    assert not [info for info in alive if info["cmdline"] == ["sleep", "86399"] and info["status"] != zombie]


@pytest.mark.parametrize("name", ["math_answer", "reasoning_gym"])
def test_a_row_without_a_reference_costs_its_response(name: str, caplog: pytest.LogCaptureFixture) -> None:
    setup = Setup(functions={name: {"_target_": f"harness.rewards.{name}.{name}"}}, search_path=sys.path)
    service = ScoringService(setup, Limits(timeout_seconds=60))
    sample = RewardSample("q", "\\boxed{4}", ground_truth="")
    result = service.executor.submit(service.score, sample).result()
    assert (result.score, result.extra[FAILED]) == (0.0, 1.0)
    assert f"in reward_fn.{name}: " in caplog.text
    service.executor.submit(lambda: service.pool.own.process.close()).result()


def test_verls_own_scorer() -> None:
    """What ``reward_fn=[verl]``, the default, comes to."""
    from harness.backend.reward_setup import limits_of, scoring_setup
    from harness.config.compose import compose_config, resolve

    service = ScoringService(scoring_setup(resolve(compose_config([]))), Limits(timeout_seconds=60))
    sample = RewardSample("q", "thus #### 7", data_source="openai/gsm8k", ground_truth="7")
    assert service.executor.submit(service.score, sample).result().score == 1.0
    assert limits_of(compose_config([])).timeout_seconds == 30.0
    service.executor.submit(lambda: service.pool.own.process.close()).result()
