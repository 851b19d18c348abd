"""Runs that a comparison has no number of: why, in a word for a count and in a sentence for one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.compare.run_data import RunData
from harness.compare.statistics.summaries import Summary

DIVERGED, NOT_REACHED, TOO_LITTLE = "diverged", "not reached", "measured too little"
RUNNING = "still running"
ENDINGS = {
    "failed": "crashed", "running": RUNNING, "pending": "not begun", "cancelled": "cancelled", "preempted": "preempted",
}  # fmt: skip
LONGEST_CAUSE = 100


def ending(run: RunData) -> str:
    """What became of a run that has not trained to its end, as in ``3 crashed``."""
    return ENDINGS.get(run.state, run.state)


def how_it_ended(run: RunData) -> str:
    """The same with its step and its error: ``crashed at step 3 of 100: ValueError: made to fail``."""
    planned = f" of {run.planned_steps}" if run.planned_steps else ""
    error = run.status.error
    said = f": {error.type}: {error.message.partition(chr(10))[0]}" if error else ""
    short = said if len(said) <= LONGEST_CAUSE else said[: LONGEST_CAUSE - 1] + "…"
    return f"{ending(run)} at step {max(run.last_step, 0)}{planned}{short}"


def absences(label: str, runs: Sequence[RunData], found: Sequence[Summary]) -> Iterator[str]:
    """A sentence on the runs of a group that have no number, and one on those that never got to a threshold.

    Args:
        label: The group's.
        runs: Its runs.
        found: A summary each.
    """
    pairs = list(zip(runs, found, strict=True))
    without = [(run, one) for run, one in pairs if one.absent and not one.is_censored]
    late = [(run, one) for run, one in pairs if one.is_censored]
    if without:
        yield f"{label}: {_of(without, pairs)} no value: {', '.join(_counted(without))}"
    if late:
        others = [pair for pair in late if pair[1].absent != NOT_REACHED]
        told = f" ({', '.join(_counted(others))})" if others else ""
        yield f"{label}: {_of(late, pairs)} not got there{told}, and count as slower than what had by then"


def _of(some: Sequence[object], every: Sequence[object]) -> str:
    return f"{len(some)} of {len(every)} runs {'has' if len(some) == 1 else 'have'}"


def _counted(pairs: Sequence[tuple[RunData, Summary]]) -> Iterator[str]:
    """Each kind with its number and its errors."""
    for kind, count in Counter(one.absent for _, one in pairs).items():
        errors = [run.status.error.type for run, one in pairs if one.absent == kind and run.status.error]
        yield f"{count} {kind}" + (f" ({', '.join(dict.fromkeys(errors))})" if errors else "")
