"""The section ``tracking``: what W&B's client is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.check.problem import Problem
from harness.check.values import lookup

_ONE_OF: dict[str, tuple[Any, ...]] = {"backend": (None, "wandb"), "mode": ("online", "offline")}
_TEXT = ("project", "entity", "name", "notes", "group")
_LEAST = {"generations": 0, "finish_seconds": 0}
_LONGEST_PROJECT, _NOT_IN_PROJECT = 128, "/\\#?%:"  # W&B's client refuses it otherwise; other texts are cut


def tracking_problems(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Values that mean nothing."""
    section = tree.get("tracking")
    if not isinstance(section, Mapping):
        yield _wrong("tracking", section, "a section is needed", "Choose tracking=wandb, offline or none.")
        return
    for name, allowed in _ONE_OF.items():
        if section.get(name) not in allowed:
            known = ", ".join("null" if each is None else str(each) for each in allowed)
            yield _wrong(f"tracking.{name}", section.get(name), f"there are {known}")
    for name in _TEXT:
        if not isinstance(section.get(name), str | None):
            yield _wrong(f"tracking.{name}", section.get(name), "a text is needed")
    for name, least in _LEAST.items():
        value = section.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
            yield _wrong(f"tracking.{name}", value, f"a number of {least} or more is needed")
    tags = section.get("tags")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        yield _wrong("tracking.tags", tags, "a list of texts is needed", "Write tracking.tags=[ablation].")
    if section.get("backend") is None and "wandb" not in (lookup(tree, "trainer.logger") or ()):
        return
    key = "tracking.project" if section.get("project") else "trainer.project_name"
    project = lookup(tree, key)
    if not project:
        yield _wrong("tracking.project", None, "W&B needs a project", "Set it, or trainer.project_name.")
    elif len(str(project)) > _LONGEST_PROJECT or set(str(project)) & set(_NOT_IN_PROJECT):
        what = f"W&B takes a project of {_LONGEST_PROJECT} characters at most, none of them among {_NOT_IN_PROJECT}"
        yield _wrong(key, project, what, "Set tracking.project to another name.")


def _wrong(key: str, value: Any, what: str, remedy: str = "") -> Problem:
    return Problem("tracking", key, f"{key}={'null' if value is None else value}: {what}.", remedy, value)
