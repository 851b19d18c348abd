"""From points to a plan: every point is composed and checked before the first is started."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import track

from harness.config.variants import frame
from harness.errors import ConfigurationError
from harness.launch.sweep.folder import folder_name
from harness.launch.sweep.planned import Planned, plan_alike
from harness.launch.sweep.points import Point

SHOWN_PROBLEMS = 8  # points whose problems are told; a mistake that all share is told once
A_PART = 32  # points that a process plans in one go
MOST_PROCESSES = 4  # a login node is others' too


def plan_points(
    points: Sequence[Point], sweep: Path, what: str = "a sweep", twice: bool = False, taken: Collection[str] = ()
) -> list[Planned]:
    """Compose and check every point.

    Args:
        points: The points.
        sweep: The folder that will hold their runs.
        what: What they are, for the message.
        twice: Whether two may be the same experiment.
        taken: Names of folders that it has already.

    Raises:
        ConfigurationError: Some have problems; all of them are told, each with the points that have it. Or two points
            are the same experiment with the same seed.
    """
    named = _named(points, taken)
    parts = list(_parts(named))
    done = {each.run_id: each for part in _in_processes(parts, sweep, len(points)) for each in part}
    planned = [done[each.run_id] for each in named]
    problems = dict[str, list[str]]()
    for each in planned:
        for text in each.problems:
            problems.setdefault(text, []).append(each.point.label)
    if problems:
        raise ConfigurationError(_told(problems, len(points), what))
    if not twice:
        _require_different(planned)
    return planned


def _named(points: Sequence[Point], taken: Collection[str]) -> list[Planned]:
    """With a folder's name for each, which no other has."""
    names, named = set(taken), []
    for index, point in enumerate(points, start=len(taken)):
        name = folder_name(point.label, index)
        name = name if name not in names else f"{name}-{index}"
        names.add(name)
        named.append(Planned(point, name))
    return named


def _parts(named: Iterable[Planned]) -> Iterator[list[Planned]]:
    """Points that are composed alike, not too many at once."""

    def composed(each: Planned) -> tuple[str, ...]:
        return frame(each.point.words, each.point.differs)

    for _, group in groupby(sorted(named, key=composed), key=composed):
        alike = list(group)
        yield from (alike[start : start + A_PART] for start in range(0, len(alike), A_PART))


def _in_processes(parts: Sequence[list[Planned]], sweep: Path, count: int) -> Iterator[list[Planned]]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count <= A_PART or cores == 1:
        yield from (plan_alike(part, sweep) for part in parts)
        return
    console = Console(stderr=True)
    with ProcessPoolExecutor(min(cores, MOST_PROCESSES)) as pool:
        done = pool.map(partial(plan_alike, sweep=sweep), parts)
        what = f"composing and checking {count:,} runs"
        yield from track(done, what, len(parts), console=console, transient=True, disable=not console.is_terminal)


def _told(problems: dict[str, list[str]], count: int, what: str) -> str:
    lines = []
    for text, labels in list(problems.items())[:SHOWN_PROBLEMS]:
        where = "every run" if len(labels) == count else ", ".join(labels[:4]) + (", …" if len(labels) > 4 else "")
        lines.append(f"{where}:\n  " + text.replace("\n", "\n  "))
    left = len(problems) - SHOWN_PROBLEMS
    found = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    runs = "one run" if count == 1 else f"{count} runs"
    return f"{found} in {what} of {runs}; nothing was started:\n" + "\n".join(
        [*lines, *([f"and {left} more"] if left > 0 else [])]
    )


def _require_different(planned: Sequence[Planned]) -> None:
    seen: dict[tuple[str, int], str] = {}
    twice = []
    for each in planned:
        first = seen.setdefault((each.fingerprint, each.seed), each.point.label)
        if first != each.point.label:
            twice.append(f"{each.point.label} is the same experiment as {first}, with the same seed")
    if twice:
        raise ConfigurationError("; ".join(twice) + ".", "Leave one out, or give them different seeds.")
