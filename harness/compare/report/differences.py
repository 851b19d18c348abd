"""What the groups were made with, and how each is trained again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from harness.compare.findings import facts
from harness.compare.groups import RunGroup
from harness.compare.keys import given
from harness.compare.run_data import RunData
from harness.compare.study import Study
from harness.records.masking import mask_arguments, mask_text


@dataclass(frozen=True)
class Rerun:
    """How a group is trained again.

    Attributes:
        label: The group.
        command: One command for all of its seeds; empty where the record does not say.
        commit: The code's commit, where all its runs share one.
        runs: Its runs, those that were set aside last.
    """

    label: str
    command: str
    commit: str
    runs: tuple[RunData, ...]


def shared_facts(study: Study) -> list[tuple[str, str]]:
    """Subject → value of everything that is recorded and equal in all runs."""
    known = [facts(run, study.grouping.keys) for run in study.runs]
    subjects = dict.fromkeys(subject for each in known for subject in each)
    values = {subject: {each.get(subject, "") for each in known} for subject in subjects}
    return [(subject, next(iter(found))) for subject, found in values.items() if len(found) == 1 and "" not in found]


def reruns(study: Study) -> list[Rerun]:
    """Every group's command, in the order of the table."""
    return [_rerun(row.group) for row in study.rows]


def recorded(run: RunData) -> str:
    """The command that made a run, as recorded."""
    return mask_text(str(run.provenance.get("command") or ""))


def _rerun(group: RunGroup) -> Rerun:
    commits = {str((run.provenance.get("code") or {}).get("commit") or "") for run in group.runs}
    return Rerun(
        group.label, _command(group.runs), commits.pop() if len(commits) == 1 else "", (*group.runs, *group.set_aside)
    )


def _command(runs: Sequence[RunData]) -> str:
    """Words of a run that say the group's values, with all seeds; empty without words or where runs differ in them."""
    if not runs or not runs[0].words:
        return ""
    said = {tuple(sorted((key, value) for key, value in given(run.words).items() if key != "seed")) for run in runs}
    if len(said) > 1:
        return ""
    others = [word for word in runs[0].words if word.lstrip("+").partition("=")[0] != "seed"]
    seeds = [str(run.seed) for run in runs if run.seed is not None]
    several = ["-m"] if len(seeds) > 1 else []
    return shlex.join(
        ["harness", "train", *several, *mask_arguments(others), *(["seed=" + ",".join(seeds)] * bool(seeds))]
    )
