"""When a stage counts as hanging: pure bookkeeping over what was seen of a run and when.

What is measured is silence: the time since the run last entered a stage, recorded metrics or gave another sign. Its
limit is generous and learnt, because ending a healthy run is far worse than ending a dead one late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.records.stages import StageEntry
from harness.terminal import text

FIRST_STAGE = "importing verl"  # of every start: the time before it is one in which the run did not run
LOOK_EVERY_S = 5.0


@dataclass(frozen=True)
class Settings:
    """The section ``cluster.watchdog``.

    Attributes:
        minutes: Silence that is always allowed, in minutes; None for no watchdog.
        factor: … and this many times the longest silence of the stage so far.
        on_hang: ``fail``, ``retry`` or ``warn``.
    """

    minutes: float | None = 60.0
    factor: float = 5.0
    on_hang: str = "fail"

    @classmethod
    def of(cls, cluster: Mapping[str, Any]) -> Settings:
        """Those of a configuration; the defaults for a record that is older than they are."""
        if "watchdog" not in cluster:
            return cls()
        return cls(**cluster["watchdog"]) if cluster["watchdog"] else cls(minutes=None)

    @property
    def look_every(self) -> float:
        """Seconds between two looks."""
        return min(LOOK_EVERY_S, (self.minutes or 1.0) * 60 / 10)


@dataclass(frozen=True)
class Silence:
    """A stage that has not progressed for longer than its limit; times in seconds.

    Attributes:
        stage, step: What the run was doing.
        seconds: For how long there was no sign.
        limit: The longest that was allowed.
        longest: The longest that was seen before, where the limit is learnt from it; else 0.
    """

    stage: str
    step: int
    seconds: float
    limit: float
    longest: float

    @property
    def message(self) -> str:
        """``generating (step 2) has not progressed for 31 min 00 s; the limit is …``."""
        where = f" (step {self.step})" if self.step else ""
        learnt = f", learnt from the longest wait before, {text.seconds(self.longest)}" if self.longest else ""
        silent = f"has not progressed for {text.seconds(self.seconds)}"
        return f"{self.stage}{where} {silent}; the limit is {text.seconds(self.limit)}{learnt}"


class Watchdog:
    """Measures the silence of a run.

    Args:
        settings: What is allowed.
        clock: Seconds that never go back.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.floor, self.factor = (settings.minutes or float("inf")) * 60, settings.factor
        self.clock, self.most = clock, 2 * settings.look_every
        self.longest: dict[str, float] = {}
        self.stage, self.step = "starting", 0
        self.silent, self._looked = 0.0, clock()

    def learn(self, entries: Sequence[StageEntry]) -> None:
        """Take how long stages took from the record of a run that is resumed; oldest first."""
        for entry, following in pairwise(entries):
            if following.stage != FIRST_STAGE:
                self._seen(entry.stage, following.time - entry.time)

    def look(self, entered: Sequence[tuple[str, int]] = (), sign: bool = False) -> Silence | None:
        """Note what has happened since the last look.

        Time passes here only as far as somebody looks: a process that was stopped, by Ctrl-Z or a scheduler that
        suspends jobs, does not wake to the news that it has been hanging for hours.

        Args:
            entered: Stages that were entered, each with its step.
            sign: Whether there was another sign of progress.

        Returns:
            The silence that is too long, or None.
        """
        now = self.clock()
        self.silent += min(now - self._looked, self.most)
        self._looked = now
        if entered or sign:
            self._seen(self.stage, self.silent)
            self.silent = 0.0
        if entered:
            self.stage, self.step = entered[-1]
        longest = self._longest()
        limit = max(self.floor, self.factor * longest)
        if self.silent <= limit:
            return None
        return Silence(self.stage, self.step, self.silent, limit, longest if limit > self.floor else 0.0)

    def _seen(self, stage: str, seconds: float) -> None:
        self.longest[stage] = max(seconds, self.longest.get(stage, 0.0))

    def _longest(self) -> float:
        """Of the stage; of any stage before it has been seen once, as a first validation may take like a generation."""
        return self.longest.get(self.stage, max(self.longest.values(), default=0.0))
