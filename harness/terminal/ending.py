"""What is printed when a run ends: the outcome, or the failure."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.records.masking import mask_arguments
from harness.records.run_folder import RunFolder
from harness.terminal import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.state import RunError
    from harness.records.summary import Change, RunSummary

_LOG_LINES, _LOG_BYTES = 12, 16_000
#: Errors whose own words say all; the end of the log would only distract.
_SELF_EXPLAINING = frozenset({"ConfigurationError", "ComponentError", "ProcessDied", "Interrupted"})


def outcome(run_folder: RunFolder, summary: RunSummary, commands: Sequence[str] | None = None) -> RenderableType:
    """The end of a run that went well.

    Args:
        run_folder: The run.
        summary: What it came to.
        commands: What to try next; by default another seed, another algorithm, and evaluate.
    """
    took = f" in {text.seconds(summary.seconds)}" if summary.seconds is not None else ""
    done = f"done: {summary.steps} steps" if summary.steps else "validated"
    parts: list[RenderableType] = [Text(), Text.assemble(("✓ ", "bold green"), (done + took, "bold"))]
    if summary.rows:
        table = _before_after(summary.rows) if summary.steps else _measured(summary.rows)
        parts += [Text(), Padding(table, (0, 0, 0, 2))]
    parts += [Text(), *_labelled(_places(run_folder))]
    suggested = next_commands(run_folder) if commands is None else commands
    if suggested:
        parts += [Text(), Text("  what to try next", style="bold")]
        parts += [Text(f"    {command}", style="cyan") for command in suggested]
    return Group(*parts)


def failure(error: RunError, run_folder: RunFolder) -> RenderableType:
    """The end of a run that failed: why, what to do, where it happened, and the last of the log where that helps."""
    parts: list[RenderableType] = [Text(), Text.assemble(("✗ ", "bold red"), (error.message, "bold"))]
    if error.remedy:
        parts.append(Text(f"  → {error.remedy}"))
    log = Path(error.log) if error.log else run_folder.log
    parts += [Text(), *_labelled({**({"stage": error.stage} if error.stage else {}), "log": str(log)})]
    lines = [] if error.type in _SELF_EXPLAINING else last_lines(log)
    if lines:
        parts += [Text(), Text("  the end of the log", style="grey62")]
        parts += [Text(f"  │ {line}", style="grey50", no_wrap=True, overflow="ellipsis") for line in lines]
    return Group(*parts)


def next_commands(run_folder: RunFolder) -> list[str]:
    """What a person is likely to do with a run that is done: another seed, another algorithm, compare, evaluate."""
    words = _typed(run_folder)
    trust = [word for word in words if word.startswith(("plugins=", "trusted_modules="))]
    commands = []
    if any(word.startswith("experiment=") for word in words):
        values = dict(word.split("=", 1) for word in words if word.startswith(("seed=", "algorithm=")))
        seed = int(given) + 1 if (given := values.get("seed", "1")).isdecimal() else 2
        algorithm = "grpo" if values.get("algorithm") == "ppo" else "ppo"
        for key, value in (("seed", seed), ("algorithm", algorithm)):
            others = [word for word in words if not word.startswith(f"{key}=")]
            commands.append([program(), "train", *others, f"{key}={value}"])
    if len(list(run_folder.path.parent.glob("*/status.json"))) > 1:
        commands.append([program(), "compare", RunFolder(run_folder.path.parent).shown()])
    if run_folder.last_checkpoint():
        commands.append([program(), "evaluate", run_folder.shown(), *trust])
    return [shlex.join(command) for command in commands]


def program() -> str:
    """How this program is called here: by its name, or by its path in an environment that is not active."""
    here = os.path.relpath(Path(sys.executable).with_name("harness"))
    return "harness" if shutil.which("harness") or here.startswith("..") else here


def _typed(run_folder: RunFolder) -> list[str]:
    if not run_folder.overrides.is_file():
        return []
    return mask_arguments([str(word) for word in yaml.safe_load(run_folder.overrides.read_text()) or []])


def last_lines(log: Path, count: int = _LOG_LINES) -> list[str]:
    """The last lines of a log that say something; control characters, which would garble a terminal, are removed."""
    if not log.is_file():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        raw = file.read().decode("utf-8", "replace")
    plain = Text.from_ansi(raw.replace("\r", "\n")).plain
    lines = ("".join(char for char in line if char.isprintable() or char == "\t") for line in plain.splitlines())
    return [line.rstrip() for line in lines if line.strip()][-count:]


def _before_after(rows: Sequence[Change]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="grey62")
    table.add_column("")
    for heading in ("before", "after", "change"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("best", justify="right")
    for row in rows:
        style = "green" if row.difference > 0 else "red" if row.difference < 0 else ""
        table.add_row(
            row.label,
            Text(text.number(row.first)),
            Text(text.number(row.last), style="bold"),
            Text(text.signed(row.difference), style=style),
            Text(f"{text.number(row.best)} at step {row.best_step}", style="grey62"),
        )
    return table


def _measured(rows: Sequence[Change]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=False)
    for row in rows:
        table.add_row(row.label, Text(text.number(row.last), style="bold"))
    return table


def _places(run_folder: RunFolder) -> dict[str, str]:
    """The parts of the record that are there."""
    paths = {
        "report": run_folder.report,
        "log": run_folder.log,
        "checkpoints": run_folder.checkpoints,
        "generations": run_folder.generations,
    }
    shown = Path(run_folder.shown())
    return {label: str(shown / path.name) for label, path in paths.items() if path.exists()}


def _labelled(values: dict[str, str]) -> list[Text]:
    """A line each. Lines and not a table, which would fold a long path so that it cannot be copied."""
    width = max(map(len, values), default=0)
    return [Text.assemble((f"  {label:<{width}}  ", "grey62"), value) for label, value in values.items()]
