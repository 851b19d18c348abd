"""What the groups were made with, and how each is trained again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from harness.compare.findings import facts
from harness.compare.groups import RunGroup
from harness.compare.run_data import RunData
from harness.compare.study import Study
from harness.records.masking import mask_text


@dataclass(frozen=True)
class Rerun:
    """How a group is trained again.

    Attributes:
        label: The group.
        commands: One for each of its runs whose record is here.
        commit: The code's commit, where all its runs share one.
        runs: Its runs, those that were set aside last.
    """

    label: str
    commands: tuple[str, ...]
    commit: str
    runs: tuple[RunData, ...]


def shared_facts(study: Study) -> list[tuple[str, str]]:
    """Subject → value of everything that is recorded and equal in all runs."""
    known = [facts(run, study.grouping.keys) for run in study.runs]
    subjects = dict.fromkeys(subject for each in known for subject in each)
    values = {subject: {each.get(subject, "") for each in known} for subject in subjects}
    return [(subject, next(iter(found))) for subject, found in values.items() if len(found) == 1 and "" not in found]


def reruns(study: Study) -> list[Rerun]:
    """Every group's commands, in the order of the table."""
    return [_rerun(row.group) for row in study.rows]


def recorded(run: RunData) -> str:
    """The command that made a run, as recorded."""
    return mask_text(str(run.provenance.get("command") or ""))


def _rerun(group: RunGroup) -> Rerun:
    commits = {str((run.provenance.get("code") or {}).get("commit") or "") for run in group.runs}
    commands = [command for run in group.runs if (command := rerun_command(run))]
    commit = commits.pop() if len(commits) == 1 else ""
    return Rerun(group.label, tuple(commands), commit, (*group.runs, *group.set_aside))


def rerun_command(run: RunData) -> str:
    """The command that trains a run again from its record, however it was made; empty where its folder is not here."""
    if run.folder is None:
        return ""
    return shlex.join(["harness", "rerun", run.where])
