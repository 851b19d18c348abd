"""All problems of a configuration as one report, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from io import StringIO
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from harness.check.composition import compose_what_can_be
from harness.check.find import find_problems
from harness.check.memory import gpu_memory, memory_phases
from harness.check.problem import Problem
from harness.check.schema import verl_schema
from harness.config.compose import resolved_tree
from harness.config.origins import Origins
from harness.config.written import written_keys
from harness.errors import ConfigurationError

if TYPE_CHECKING:
    from omegaconf import DictConfig

Seen = list[tuple[str, str]]
Deep = Callable[["DictConfig"], tuple[Seen, list[Problem]]]


@dataclass
class Findings:
    """What a check found.

    Attributes:
        problems: What is wrong, warnings included.
        seen: What was looked at, ``(part, text)``: the memory estimate, and what ``--deep`` tried.
        seconds: What reading verl's schema took, 0 where it was kept from before.
    """

    problems: list[Problem]
    seen: Seen = field(default_factory=list)
    seconds: float = 0.0


def check_report(
    overrides: Sequence[str],
    as_json: bool = False,
    strict: bool = False,
    deep: Deep | None = None,
    file: str | None = None,
) -> tuple[str, bool]:
    """Check what the overrides compose to.

    Args:
        overrides: Words of the command.
        as_json: Give JSON: ``{"problems": [{code, key, value, message, remedy, origin, warning}], "wrong": …,
            "seen": [{part, text}]}``.
        strict: Warnings count as errors.
        deep: A further check, of a configuration that has no problems (`harness.managers.deep.deep_check`).
        file: A YAML file with verl's sections, in place of an experiment.

    Returns:
        The report, and whether something is wrong.
    """
    found = _findings(overrides, deep, file)
    wrong = any(strict or not problem.warning for problem in found.problems)
    if as_json:
        seen = [{"part": part, "text": text} for part, text in found.seen]
        listed = [asdict(problem) for problem in found.problems]
        return json.dumps({"problems": listed, "wrong": wrong, "seen": seen}, default=str), wrong
    return _rendered(found), wrong


def _findings(overrides: Sequence[str], deep: Deep | None, file: str | None) -> Findings:
    composed = compose_what_can_be(overrides, file)
    config = composed.config
    if config is None:
        return Findings(composed.problems)
    try:
        origins = Origins(tuple(composed.words), Path.cwd(), written_keys(file, composed.words))
        problems = [*composed.problems, *find_problems(config, composed.words, origins)]
    except ConfigurationError as error:  # of a file, whose other problems cannot be shown
        key = error.message.partition(":")[0].partition("=")[0]
        return Findings([*composed.problems, Problem("composition", key, error.message, error.remedy)])
    found = Findings(problems, seconds=verl_schema().seconds)
    if any(problem.code == "reference" for problem in problems):
        return found
    found.seen += _memory(resolved_tree(config))
    if deep is not None and any(not problem.warning for problem in problems):
        found.seen.append(("deep", "not tried: mend the problems first"))
    elif deep is not None:
        seen, further = deep(config)
        found.seen += seen
        found.problems += [replace(problem, origin=origins.of(problem.key)) for problem in further]
    return found


def _memory(tree: Mapping[str, Any]) -> Seen:
    memory = gpu_memory(tree)
    if not memory or not (phases := memory_phases(tree)):
        return []
    gpu = tree["cluster"]["gpu"]
    return [("memory", f"of each {gpu or 'GPU'} ({memory:g} GB), estimated"), *(("memory", str(p)) for p in phases)]


def _rendered(found: Findings) -> str:
    """What was seen, then problems by section, errors before warnings; coloured on a terminal."""
    terminal = Console()
    console = Console(
        file=StringIO(), force_terminal=terminal.is_terminal, no_color=terminal.no_color, soft_wrap=True, width=10_000
    )
    if found.seconds:
        console.print(
            Text(f"read verl's schema in {found.seconds:.2f} s; it is kept for the next time", style="grey50")
        )
    before = ""
    for part, text in found.seen:
        console.print(Text.assemble((f"{part if part != before else '':<9}", "bold"), text))
        before = part
    ordered = sorted(found.problems, key=lambda problem: (problem.warning, _section(problem)))
    for (warning, section), group in groupby(ordered, key=lambda problem: (problem.warning, _section(problem))):
        console.print(Text(f"{section}{' (warnings)' if warning else ''}", style="bold"))
        for problem in group:
            _print(console, problem)
    console.print(_counted(found.problems))
    return console.file.getvalue().rstrip()  # type: ignore[attr-defined]


def _print(console: Console, problem: Problem) -> None:
    mark, colour = ("  ! ", "yellow") if problem.warning else ("  ✗ ", "red")
    console.print(Text.assemble((mark, colour), problem.message))
    if problem.remedy:
        console.print(Text(f"    → {problem.remedy}"))
    console.print(Text(f"    {problem.code}, from {problem.origin or 'a default'}", style="grey50"))


def _section(problem: Problem) -> str:
    return problem.key.partition(".")[0] or "composition"


def _counted(problems: Sequence[Problem]) -> str:
    warnings = sum(problem.warning for problem in problems)
    parts = [(len(problems) - warnings, "problem"), (warnings, "warning")]
    said = [f"{count} {word}{'s' if count != 1 else ''}" for count, word in parts if count]
    return f"{' and '.join(said)} found" if said else "no problem found"
