"""How far a training is: the numbers behind the live panel, kept apart from how they are drawn."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.records.quantities import REWARD, STEP_SECONDS, number, validation_headline

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.records.metrics import StepRecord

_RECENT_STEPS = 20  # the remaining time follows these, so that a slow warm-up step is soon forgotten


@dataclass
class Progress:
    """What has been seen of a run so far.

    Args:
        total_steps: Steps of the whole run; 0 while it is unknown.
        clock: Seconds that only grow; a test brings its own.
    """

    total_steps: int
    clock: Callable[[], float] = time.monotonic
    step: int = 0
    latest: dict[str, float] = field(default_factory=dict)
    rewards: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    stage: str = ""
    stage_began: float = 0.0
    began: float = 0.0
    _paces: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT_STEPS))
    _last_time: float | None = None

    def __post_init__(self) -> None:
        self.began = self.stage_began = self.clock()

    def enter(self, stage: str) -> float:
        """Note that ``stage`` begins; returns how many seconds the one before took."""
        taken, self.stage = self.clock() - self.stage_began, stage
        self.stage_began = self.clock()
        return taken

    def add(self, record: StepRecord) -> None:
        """Note the metrics of a step."""
        score = validation_headline(record.metrics)
        if score is not None:
            self.validation.append((record.step, score))
        if record.is_validation_only:
            self._last_time = record.time
            return
        self.step, self.latest = record.step, record.metrics
        if self._last_time is not None:
            self._paces.append(max(0.0, record.time - self._last_time))
        self._last_time = record.time
        reward = number(record.metrics, REWARD)
        if reward is not None:
            self.rewards.append(reward)

    @property
    def position(self) -> str:
        """The step and, where it is known, the total: ``7/40``, padded so that lines stand below each other."""
        return f"{self.step:>{len(str(self.total_steps))}}/{self.total_steps}" if self.total_steps else str(self.step)

    @property
    def elapsed(self) -> float:
        """Seconds since this view began."""
        return self.clock() - self.began

    @property
    def in_stage(self) -> float:
        """Seconds in the present stage."""
        return self.clock() - self.stage_began

    @property
    def step_seconds(self) -> float | None:
        """Seconds of the last step, validation aside."""
        return number(self.latest, STEP_SECONDS)

    @property
    def remaining(self) -> float | None:
        """Seconds to the end at the recent pace, validations and checkpoints included; None while it is unknown."""
        if not self.total_steps:
            return None
        pace = sum(self._paces) / len(self._paces) if self._paces else self.step_seconds
        return None if pace is None else pace * max(0, self.total_steps - self.step)
