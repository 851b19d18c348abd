"""When a stage counts as hanging: floor, what is learnt, and time that nobody saw pass."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness.launch.guard import MOVING
from harness.launch.watchdog import FIRST_STAGE, Settings, Silence, Watchdog
from harness.records.stages import StageEntry

MINUTE = 60.0


class Clock:
    """A clock that the test sets forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Run:
    """A watched run; looked at every five seconds, as by the guard."""

    def __init__(self, minutes: float | None = 30.0, factor: float = 5.0) -> None:
        self.clock = Clock()
        self.watchdog = Watchdog(Settings(minutes, factor), self.clock)

    def enter(self, stage: str, step: int = 0) -> None:
        self.watchdog.look([(stage, step)])

    def silent(self, seconds: float) -> Silence | None:
        """What is found at the first look that finds something, if any does in this time."""
        until = self.clock.now + seconds
        while self.clock.now < until:
            self.clock.now += 5
            if found := self.watchdog.look():
                return found
        return None


def test_silence_up_to_the_floor_is_allowed_and_beyond_it_is_named() -> None:
    run = Run(minutes=30)
    run.enter("generating", 2)
    assert run.silent(30 * MINUTE) is None
    found = run.silent(10)
    assert (found.stage, found.step, found.limit, found.longest) == ("generating", 2, 30 * MINUTE, 0)
    assert found.message == "generating (step 2) has not progressed for 30 min 05 s; the limit is 30 min 00 s"


def test_entering_a_stage_and_any_other_sign_begin_a_new_silence() -> None:
    run = Run(minutes=30, factor=1)
    for _ in range(10):
        assert run.silent(29 * MINUTE) is None
        run.enter("generating", 1)
        assert run.silent(29 * MINUTE) is None
        run.watchdog.look(sign=True)


def test_a_stage_that_has_been_slow_may_be_so_again() -> None:
    run = Run(minutes=30, factor=5)
    run.enter("updating the actor", 1)
    assert run.silent(20 * MINUTE) is None
    run.enter("updating the actor", 2)
    assert run.silent(100 * MINUTE) is None
    found = run.silent(MINUTE)
    assert found.message == (
        "updating the actor (step 2) has not progressed for 1 h 40 min; the limit is 1 h 40 min, "
        "learnt from the longest wait before, 20 min 00 s"
    )


def test_what_one_stage_took_counts_for_another_only_until_that_has_been_seen() -> None:
    run = Run(minutes=10, factor=5)
    run.enter("generating", 1)
    assert run.silent(9 * MINUTE) is None
    run.enter("validating", 1)  # for the first time: it may take as long as generating does
    assert run.silent(44 * MINUTE) is None
    run.watchdog.longest["validating"] = MINUTE
    assert run.silent(5).limit == 10 * MINUTE


def test_a_process_that_was_suspended_has_not_been_hanging() -> None:
    run = Run(minutes=30)
    run.enter("generating", 1)
    run.clock.now += 48 * 60 * MINUTE
    assert run.watchdog.look() is None
    assert run.silent(29 * MINUTE) is None


def test_no_minutes_no_watchdog() -> None:
    run = Run(minutes=None)
    run.enter("generating", 1)
    assert run.silent(20 * 60 * MINUTE) is None


def test_a_resumed_run_learns_from_its_record_but_not_from_the_time_it_did_not_run() -> None:
    run = Run(minutes=10, factor=2)
    run.watchdog.learn(
        [
            StageEntry(FIRST_STAGE, 0, 0),
            StageEntry("generating", 1, MINUTE),
            StageEntry("updating the actor", 1, 20 * MINUTE),  # then it was killed and waited for two days
            StageEntry(FIRST_STAGE, 0, 48 * 60 * MINUTE),
            StageEntry("generating", 1, 48 * 60 * MINUTE + 5),
        ]
    )
    assert run.watchdog.longest == {FIRST_STAGE: MINUTE, "generating": 19 * MINUTE}
    run.enter("generating", 1)
    assert run.silent(38 * MINUTE) is None
    assert run.silent(MINUTE).longest == 19 * MINUTE


@pytest.mark.parametrize(
    ("cluster", "settings"),
    [
        ({}, Settings()),
        ({"watchdog": None}, Settings(minutes=None)),
        ({"watchdog": {"minutes": 5, "factor": 2, "on_hang": "warn"}}, Settings(5, 2, "warn")),
    ],
)
def test_settings(cluster: dict, settings: Settings) -> None:
    assert Settings.of(cluster) == settings


def test_stages_that_move_data_are_named_as_the_backend_names_them() -> None:
    backend = Path(__file__).parents[3] / "harness" / "backend"
    calls = [node for file in backend.rglob("*.py") for node in ast.walk(ast.parse(file.read_text()))
             if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in ("stage", "announce")]  # fmt: skip
    stages = {call.args[0].value for call in calls if call.args and isinstance(call.args[0], ast.Constant)}
    assert FIRST_STAGE in stages
    moving = {stage for stage in stages if stage.startswith(MOVING)}
    assert {"loading the model", "saving a checkpoint", "sending the weights", "starting Ray"} <= moving
    assert not moving & {"generating", "validating", "scoring", "computing log-probs", "updating the actor"}
