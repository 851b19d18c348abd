"""Where in W&B the runs of a comparison are, and which of them are not there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from harness.compare.run_data import RunData
from harness.compare.study import Study
from harness.compare.targets import WANDB
from harness.errors import ConfigurationError
from harness.tracking.state import TrackingState, read_tracking

NAMED = 6  # runs that a sentence names
UNTRACKED = "not in W&B, as it was trained without tracking=wandb; no panel has it."
MISSING = "not in W&B yet; no panel has it."
PARTIAL = "in W&B without its end."


@dataclass(frozen=True)
class Place:
    """A run's address in W&B."""

    entity: str
    project: str
    id: str


@dataclass(frozen=True)
class Placed:
    """The runs of a study in W&B.

    Attributes:
        groups: A group's number, entity and project → the ids of its runs there, in the study's order.
        notes: Runs that are not there, or not whole.
    """

    groups: Mapping[tuple[int, str, str], tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def home(self) -> tuple[str, str]:
        """Entity and project of most runs: the report belongs there."""
        counts = Counter[tuple[str, str]]()
        for (_, entity, project), ids in self.groups.items():
            counts[entity, project] += len(ids)
        return counts.most_common(1)[0][0]

    @property
    def projects(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Entity and project → the ids of all runs there."""
        found: dict[tuple[str, str], tuple[str, ...]] = {}
        for (_, entity, project), ids in self.groups.items():
            found[entity, project] = (*found.get((entity, project), ()), *ids)
        return found


def placed(study: Study) -> Placed:
    """Find them.

    Raises:
        ConfigurationError: None of them is in W&B.
    """
    groups: dict[tuple[int, str, str], tuple[str, ...]] = {}
    lacking: dict[str, list[str]] = {UNTRACKED: [], MISSING: [], PARTIAL: []}
    for number, row in enumerate(study.rows):
        for run in row.group.runs:
            if place := place_of(run):
                key = number, place.entity, place.project
                groups[key] = tuple(dict.fromkeys((*groups.get(key, ()), place.id)))
            if why := _lacks(run, place):
                lacking[why].append(run.where)
    notes = tuple(_note(runs, why) for why, runs in lacking.items() if runs)
    if not groups:
        raise ConfigurationError(f"No report in W&B: none of the runs is there. {' '.join(notes)}")
    return Placed(groups, notes)


def _lacks(run: RunData, place: Place | None) -> str:
    """Why W&B has not got all of a run; empty where it has, and of a run that has not ended."""
    state = read_tracking(run.folder) if run.folder else None
    if place is None:
        return UNTRACKED if state == TrackingState() else MISSING
    return PARTIAL if state and run.status.has_ended and not state.uploaded else ""


def _note(runs: list[str], why: str) -> str:
    named = ", ".join(runs[:NAMED]) + (f" and {len(runs) - NAMED} more" if len(runs) > NAMED else "")
    alike = len({run.startswith(os.sep) for run in runs}) == 1
    folder = os.path.commonpath(runs if alike else map(os.path.abspath, runs)) or "."  # a run, or what holds them all
    return f"{named}: {why}" + ("" if why == UNTRACKED else f" Upload with: harness sync {folder}")


def place_of(run: RunData) -> Place | None:
    """Where it is, by its address or by what its tracker has recorded; None where W&B was never reached."""
    if run.folder is None:
        return Place(*run.where.removeprefix(WANDB).split("/", 2))
    match urlsplit(read_tracking(run.folder).url).path.split("/"):
        case [*_, entity, project, "runs", name] if name:
            return Place(unquote(entity), unquote(project), unquote(name))
    return None
