"""The folder of a sweep: its plan, its frozen source, the journal of its submissions, and a folder for each run."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.errors import ConfigurationError
from harness.records.atomic import write_text
from harness.records.jsonl import append_line
from harness.records.run_folder import RunFolder, new_run_id

PLAN, JOURNAL = "sweep.yaml", "jobs.jsonl"
PREFIX = "sweep-"


@dataclass(frozen=True)
class PlannedRun:
    """One run of a sweep.

    Attributes:
        index: Its number, and its task in Slurm's arrays.
        run_id: Its folder in the sweep.
        label: What it differs in from the others.
        words: Its overrides.
        seed, fingerprint: What makes it the same experiment as another.
    """

    index: int
    run_id: str
    label: str
    words: list[str]
    seed: int
    fingerprint: str


@dataclass(frozen=True)
class Plan:
    """What ``sweep.yaml`` holds.

    Attributes:
        words: Of the command.
        launcher: ``local`` or ``slurm``.
        project: Where it was given.
        code: The frozen source, relative to the sweep.
        runs: In the order of their indices.
        finished: Points that an earlier run has finished, ``{"label": …, "run": …, "code": "the same" or "other"}``;
            they are not run again.
        cluster: The section of that name, resolved.
    """

    words: list[str]
    launcher: str
    project: str
    code: str
    runs: list[PlannedRun]
    finished: list[dict[str, str]] = field(default_factory=list)
    cluster: dict[str, Any] = field(default_factory=dict)


class SweepFolder:
    """The paths of a sweep.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).absolute()

    @classmethod
    def new(cls, root: Path, name: str) -> SweepFolder:
        """The place of a new one; nothing is written yet."""
        return cls(root / name / f"{PREFIX}{new_run_id()}")

    @classmethod
    def open(cls, path: Path | str) -> SweepFolder:
        """An existing one.

        Raises:
            ConfigurationError: It has no plan.
        """
        folder = cls(path)
        if not (folder.path / PLAN).is_file():
            raise ConfigurationError(
                f"{path} is not a sweep's folder: it has no {PLAN}.", "Name outputs/<name>/<sweep_id>."
            )
        return folder

    @classmethod
    def is_one(cls, path: Path | str) -> bool:
        """Whether there is a sweep.

        Raises:
            ConfigurationError: There is what a planning that was interrupted has left.
        """
        folder = cls(path)
        if (folder.path / PLAN).is_file():
            return True
        if folder.id.startswith(PREFIX) and folder.logs.is_dir():
            raise ConfigurationError(
                f"{folder.shown()} was not planned to its end, and nothing of it was started.",
                "Give the command again; this folder can be removed.",
            )
        return False

    @property
    def id(self) -> str:
        """The folder's own name."""
        return self.path.name

    @property
    def logs(self) -> Path:
        """Folder of what Slurm wrote."""
        return self.path / "logs"

    def run(self, run: PlannedRun) -> RunFolder:
        """The folder of a run."""
        return RunFolder(self.path / run.run_id)

    def code(self, plan: Plan) -> Path:
        """The frozen source."""
        return self.path / plan.code

    def save(self, plan: Plan) -> None:
        """Write the plan."""
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        write_text(self.path / PLAN, yaml.dump(asdict(plan), Dumper=dumper, sort_keys=False, width=1000))

    def plan(self) -> Plan:
        """Read the plan."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        tree = yaml.load((self.path / PLAN).read_text(), Loader=loader)
        return Plan(**{**tree, "runs": [PlannedRun(**run) for run in tree["runs"]]})

    def note(self, **entry: Any) -> None:
        """Add an entry to the journal of submissions, on the disk when this returns."""
        append_line(self.path / JOURNAL, entry)
        with (self.path / JOURNAL).open("rb") as file:
            os.fsync(file.fileno())

    def journal(self) -> list[dict[str, Any]]:
        """The journal's whole entries; a torn last line was never acted on."""
        path = self.path / JOURNAL
        found = []
        for line in path.read_text().splitlines() if path.is_file() else ():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def shown(self) -> str:
        """The path as a person types it."""
        here = Path.cwd()
        return str(self.path.relative_to(here)) if self.path.is_relative_to(here) else str(self.path)


def find_runs(plan: Plan, names: Sequence[str]) -> list[PlannedRun]:
    """Runs by their folder's name, their number or their label.

    Raises:
        ConfigurationError: One of them is not in the sweep.
    """
    found = []
    for name in names:
        run = _find_run(plan, name)
        if run is None:
            raise ConfigurationError(f"{name}: the sweep has no such run.", f"It has {_some(plan)}.")
        found.append(run)
    return found


def is_run(plan: Plan, name: str) -> bool:
    """Whether a word names a run of the sweep."""
    return _find_run(plan, name) is not None


def _find_run(plan: Plan, name: str) -> PlannedRun | None:
    plain = Path(name).name if "/" in name.partition("=")[0] else name  # a path, and no key with a path as its value
    return next((run for run in plan.runs if plain in (run.run_id, str(run.index), run.label)), None)


def _some(plan: Plan) -> str:
    names = [run.run_id for run in plan.runs[:8]]
    return ", ".join([*names, *(["…"] if len(plan.runs) > len(names) else [])])


def folder_name(label: str, index: int) -> str:
    """A run's folder from its label: ``algorithm-dapo_seed-2``, its number where that is long."""
    plain = re.sub(r"[^A-Za-z0-9.+_]+", "-", label.replace(" ", "_")).strip("-_.")
    return plain if plain and len(plain) <= 80 and plain[0].isalnum() else f"run-{index}"
