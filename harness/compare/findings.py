"""What else differs between runs that are compared, each with its values: code, versions, hardware, data, lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from harness.compare.keys import shown
from harness.compare.run_data import RunData

NONE = "none recorded"
SHOWN = 6  # values of a finding that are named in a sentence
#: Resolved keys that are told where no swept key beginning so is in play: a word may have changed them unnoticed.
WATCHED = {
    "training data": ("data.train_files", ("data", "experiment")),
    "validation data": ("data.val_files", ("data.val_files",)),  # other data sets: other numbers, whatever was swept
}


@dataclass(frozen=True)
class Finding:
    """Something that differs and was not asked for.

    Attributes:
        subject: What differs, such as ``torch`` or ``validation data``.
        where: ``within`` a group, so that its repetitions are not of one experiment; ``between`` groups, so that it may
            explain their difference; ``runs``, for repetitions that are missing or did not come to their end; or
            ``record``, for runs whose record is not whole.
        values: Value → the runs that have it, as a person types them.
        groups: The groups in which it differs; for ``between``, all of them.
        note: A sentence of its own in place of the values.
    """

    subject: str
    where: Literal["within", "between", "runs", "record"]
    values: Mapping[str, tuple[str, ...]]
    groups: tuple[str, ...] = ()
    note: str = ""

    @property
    def text(self) -> str:
        """One sentence."""
        if self.note:
            return f"{self.subject}: {self.note}"
        parts = [f"{value} ({len(runs)} run{'s' * (len(runs) > 1)})" for value, runs in self.values.items()]
        listed = ", ".join(parts[:SHOWN]) + (f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else "")
        place = f"within {', '.join(self.groups)}" if self.where == "within" else "between the groups"
        return f"{self.subject} differs {place}: {listed}"


def find_differences(
    groups: Mapping[str, Sequence[RunData]], swept: Sequence[str], further: Mapping[str, Callable[[RunData], str]]
) -> list[Finding]:
    """Everything that differs beyond what was swept.

    Args:
        groups: Label → runs.
        swept: The keys that make the groups; they are no finding.
        further: Other keys that differ, each with the value that a run has.
    """
    known = {id(run): facts(run, swept) for runs in groups.values() for run in runs}
    subjects = dict.fromkeys(subject for each in known.values() for subject in each)

    def fact(subject: str, run: RunData) -> str:
        return known[id(run)].get(subject, NONE if run.provenance.get("versions") else "")

    values = dict(further) | {subject: partial(fact, subject) for subject in subjects}
    found = [_finding(subject, groups, value) for subject, value in values.items()]
    return [*filter(None, found), *_of_records(run for runs in groups.values() for run in runs)]


def facts(run: RunData, swept: Sequence[str] = ()) -> dict[str, str]:
    """What a run was made with, by subject, as far as it is recorded; an empty value is not compared."""
    about = run.provenance
    played = {part for key in swept for part in (key, key.partition(".")[0])}
    watched = {subject: key for subject, (key, by) in WATCHED.items() if played.isdisjoint(by)}
    known = {subject: shown(run.settings.flat.get(key)) for subject, key in watched.items()}
    known["steps planned"] = str(run.status.total_steps or "")
    known["steps taken by runs that are done"] = str(run.last_step) if run.state == "done" else ""
    code, harness, devices = (about.get(part) for part in ("code", "harness", "devices"))
    if code:
        known["code"] = _commit(code)
    if about and run.folder:
        known["uncommitted changes"] = _diff(run.folder.code_diff)
    if harness:
        known["harness"] = _commit(harness)
    versions = about.get("versions") or {}
    known |= {name: str(version) for name, version in versions.items() if version}
    if devices is not None:
        known["GPUs"] = _devices(devices) if run.gpus or devices else "none"
    if machine := about.get("machine") if not run.gpus else None:
        known["processor"] = str(machine.get("cpu"))
    return known


def _finding(subject: str, groups: Mapping[str, Sequence[RunData]], value: Callable[[RunData], str]) -> Finding | None:
    values: dict[str, list[str]] = {}
    mixed = []
    for label, runs in groups.items():
        here = set()
        for run, said in ((run, value(run)) for run in runs):
            if said:
                here.add(said)
                values.setdefault(said, []).append(run.where)
        mixed += [label] if len(here) > 1 else []
    if len(values) < 2:
        return None
    kept = {said: tuple(where) for said, where in values.items()}
    return Finding(subject, "within" if mixed else "between", kept, tuple(mixed or groups))


def _of_records(runs: Iterable[RunData]) -> Iterator[Finding]:
    """Problems of single runs: what could not be read, and a configuration that changed on the way."""
    for run in runs:
        unknown = [] if run.provenance.get("versions") else ["its record does not say which versions it ran with"]
        if told := [*run.problems, *unknown]:
            yield Finding(run.where, "record", {}, note="; ".join(told))
        for change in run.provenance.get("changes") or ():
            keys = ", ".join(change.get("changed") or {})
            if keys:
                step = change.get("from_step")
                yield Finding(run.where, "record", {}, note=f"{keys} changed at step {step}, when it was resumed")


def _commit(state: Mapping[str, Any]) -> str:
    commit = str(state.get("commit") or NONE)
    return commit[:10] if commit != NONE else NONE


def _diff(file: Path) -> str:
    """A short name of a patch's content."""
    try:
        patch = file.read_bytes()
    except OSError:
        return NONE
    return sha256(patch).hexdigest()[:8] if patch else "none"


def _devices(devices: Sequence[Mapping[str, Any]]) -> str:
    names = [str(device.get("name")) for device in devices]
    return ", ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names)) or NONE
