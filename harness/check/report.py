"""All problems of a configuration as one report, for people and for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO
from itertools import groupby

from rich.console import Console
from rich.text import Text

from harness.check.find import find_problems
from harness.check.problem import Problem
from harness.check.schema import verl_schema
from harness.config.compose import compose_config
from harness.errors import ConfigurationError


def check_report(overrides: Sequence[str], as_json: bool = False, strict: bool = False) -> tuple[str, bool]:
    """Check what the overrides compose to.

    Args:
        overrides: Words of the command.
        as_json: Give JSON: ``{"problems": [{code, key, value, message, remedy, origin, warning}], "wrong": …}``.
        strict: Warnings count as errors.

    Returns:
        The report, and whether something is wrong.
    """
    try:
        problems = find_problems(compose_config(overrides), overrides)
    except ConfigurationError as error:  # a composition that fails has no other problems to show
        key = error.message.partition(":")[0].partition("=")[0]
        problems = [Problem("composition", key, error.message, error.remedy, origin="the command line")]
    seconds = 0.0 if any(problem.code == "composition" for problem in problems) else verl_schema().seconds
    wrong = any(strict or not problem.warning for problem in problems)
    if as_json:
        return json.dumps({"problems": [asdict(each) for each in problems], "wrong": wrong}, default=str), wrong
    return _rendered(problems, seconds), wrong


def _rendered(problems: Sequence[Problem], seconds: float) -> str:
    """Grouped by section, errors before warnings; coloured on a terminal."""
    terminal = Console()
    console = Console(
        file=StringIO(), force_terminal=terminal.is_terminal, no_color=terminal.no_color, soft_wrap=True, width=10_000
    )
    if seconds:
        console.print(Text(f"read verl's schema in {seconds:.2f} s; it is kept for the next time", style="grey50"))
    ordered = sorted(problems, key=lambda problem: (problem.warning, _section(problem)))
    for (warning, section), group in groupby(ordered, key=lambda problem: (problem.warning, _section(problem))):
        console.print(Text(f"{section}{' (warnings)' if warning else ''}", style="bold"))
        for problem in group:
            console.print(
                Text.assemble(("  ! " if warning else "  ✗ ", "yellow" if warning else "red"), problem.message)
            )
            if problem.remedy:
                console.print(Text(f"    → {problem.remedy}"))
            console.print(Text(f"    {problem.code}, from {problem.origin or 'a default'}", style="grey50"))
    console.print(_counted(problems))
    return console.file.getvalue().rstrip()  # type: ignore[attr-defined]


def _section(problem: Problem) -> str:
    return problem.key.partition(".")[0] or "composition"


def _counted(problems: Sequence[Problem]) -> str:
    warnings = sum(problem.warning for problem in problems)
    parts = [(len(problems) - warnings, "problem"), (warnings, "warning")]
    said = [f"{count} {word}{'s' if count != 1 else ''}" for count, word in parts if count]
    return f"{' and '.join(said)} found" if said else "no problem found"
