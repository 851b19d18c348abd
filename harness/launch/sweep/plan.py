"""From points to a plan: every point is composed and checked before the first is started."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, open_dict

from harness.check.find import find_problems
from harness.config.compose import compose_config, resolve
from harness.config.fingerprint import fingerprint
from harness.errors import ConfigurationError
from harness.launch.sweep.points import Point
from harness.records.run_folder import RunFolder
from harness.records.status import read_status

SHOWN_PROBLEMS = 8  # points whose problems are told; a mistake that all share is told once


@dataclass(frozen=True)
class Composed:
    """A point that can run.

    Attributes:
        point: The point.
        config: Its configuration, without a run's folder yet.
        seed, fingerprint: What makes it the same experiment as another.
    """

    point: Point
    config: DictConfig
    seed: int
    fingerprint: str


def compose_points(points: Sequence[Point], what: str = "a sweep", twice: bool = False) -> list[Composed]:
    """Compose and check every point.

    Args:
        points: The points.
        what: What they are, for the message.
        twice: Whether two may be the same experiment.

    Raises:
        ConfigurationError: Some have problems; all of them are told, each with the points that have it. Or two points
            are the same experiment with the same seed.
    """
    composed, problems = [], dict[str, list[str]]()
    for point in points:
        try:
            config = compose_config(point.words)
            found = [str(problem) for problem in find_problems(config, point.words) if not problem.warning]
        except ConfigurationError as error:
            found = [str(error)]
        for text in found:
            problems.setdefault(text, []).append(point.label)
        if not found:
            resolved = resolve(config)
            composed.append(Composed(point, config, int(resolved.seed), fingerprint(resolved)))
    if problems:
        raise ConfigurationError(_told(problems, len(points), what))
    if not twice:
        _require_different(composed)
    return composed


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


def _require_different(composed: Sequence[Composed]) -> None:
    seen: dict[tuple[str, int], str] = {}
    twice = []
    for each in composed:
        first = seen.setdefault((each.fingerprint, each.seed), each.point.label)
        if first != each.point.label:
            twice.append(f"{each.point.label} is the same experiment as {first}, with the same seed")
    if twice:
        raise ConfigurationError("; ".join(twice) + ".", "Leave one out, or give them different seeds.")


def finished_runs(root: Path) -> dict[tuple[str, int], str]:
    """Runs below a folder that are done: (fingerprint, seed) → folder."""
    found = {}
    for file in _provenances(root):
        try:
            about = json.loads(file.read_text())
        except (OSError, ValueError):
            continue
        run = RunFolder(file.parent)
        if read_status(run).state == "done":
            found[(str(about.get("fingerprint")), int(about.get("seed") or 0))] = run.shown()
    return found


def _provenances(root: Path) -> Iterator[Path]:
    """Of plain runs and of runs in sweeps; frozen source, which links back to the outputs, is not entered."""
    for folder in sorted(root.glob("*")) if root.is_dir() else ():
        yield from folder.glob("provenance.json")
        yield from folder.glob("*/provenance.json")


def with_place(config: DictConfig, run_id: str, run_dir: Path) -> DictConfig:
    """The resolved configuration of a run in its folder."""
    with open_dict(config):
        config.run_id, config.run_dir = run_id, str(run_dir)
    return resolve(config)
