"""The words of `harness compare` as the runs that they name, each run once."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from harness.compare.cache import Cache
from harness.compare.reading import Reader, Unreadable, read_one
from harness.config.suggest import did_you_mean
from harness.errors import ConfigurationError
from harness.records.run_folder import RunFolder

WANDB = "wandb:"
PLAN = "sweep.yaml"
LEVELS = 2  # outputs/<name>/<run> from outputs on
#: Folders that hold no runs of their own; a sweep's frozen source links back to the outputs.
NOT_ENTERED = frozenset({"code", "logs", "checkpoints", "generations", "earlier"})


@dataclass(frozen=True)
class Target:
    """A run to load.

    Attributes:
        path: Its folder.
        label: What its sweep calls it; empty outside a sweep.
    """

    path: Path
    label: str = ""


@dataclass(frozen=True)
class Targets:
    """What a command names.

    Attributes:
        runs: In the order of the words; within a folder by name, within a sweep as planned.
        online: Words that begin with ``wandb:``, without that.
    """

    runs: tuple[Target, ...]
    online: tuple[str, ...] = ()


def find_targets(words: Sequence[str]) -> Targets:
    """The runs that words name: run folders, sweeps, folders of runs, globs, and ``wandb:entity/project[/group]``.

    Raises:
        ConfigurationError: There are no words, or one of them names no run; what is near it is told.
    """
    if not words:
        raise ConfigurationError("Nothing to compare was named.", _inside(Path("outputs")))
    plans: dict[Path, dict[Path, str]] = {}
    found: dict[Path, Target] = {}
    for word in words:
        for target in () if word.startswith(WANDB) else _named(word, plans):
            found.setdefault(target.path.resolve(), target)
    online = (word.removeprefix(WANDB).strip("/") for word in words if word.startswith(WANDB))
    return Targets(tuple(found.values()), tuple(dict.fromkeys(online)))


def _named(word: str, plans: dict[Path, dict[Path, str]]) -> list[Target]:
    """The runs of one word."""
    path = Path(word).expanduser()
    if path.is_dir():
        places = [path]
    elif path.exists():
        inside = f"Name its folder: {path.parent}" if _is_run(path.parent) else _inside(path.parent)
        raise ConfigurationError(f"{word} is a file, not a run.", inside)
    else:
        places = [Path(match) for match in sorted(glob.glob(str(path))) if Path(match).is_dir()]  # noqa: PTH207
    if not places:
        what = "nothing matches it" if glob.has_magic(word) else "no such folder"
        raise ConfigurationError(f"{word}: {what}.", _nearby(path))
    runs = [target for place in places for target in _runs_in(place, plans)]
    if not runs:
        raise ConfigurationError(f"{word} holds no run.", _inside(path if path.is_dir() else path.parent))
    return runs


def _runs_in(place: Path, plans: dict[Path, dict[Path, str]], levels: int = LEVELS) -> Iterator[Target]:
    """Of a run, a sweep, or a folder that is searched so many levels deep."""
    if (place / PLAN).is_file():
        yield from (Target(path, label) for path, label in _planned(place, plans).items())
    elif _is_run(place):
        siblings = _planned(place.parent, plans) if (place.parent / PLAN).is_file() else {}
        yield Target(place, siblings.get(place, ""))
    elif levels:
        for child in sorted(place.iterdir()):
            if child.is_dir() and child.name not in NOT_ENTERED and not child.name.startswith("."):
                yield from _runs_in(child, plans, levels - 1)


def _is_run(folder: Path) -> bool:
    run = RunFolder(folder)
    return run.status.is_file() or run.config.is_file()


def _planned(sweep: Path, plans: dict[Path, dict[Path, str]]) -> dict[Path, str]:
    """A sweep's runs and those that had finished before it, with their labels.

    Raises:
        ConfigurationError: The plan cannot be read.
    """
    if sweep not in plans:
        plans[sweep] = _read_plan(sweep)
    return plans[sweep]


def _read_plan(sweep: Path) -> dict[Path, str]:
    plan = read_one(sweep / PLAN, PLANS, Cache())
    if isinstance(plan, Unreadable):
        raise ConfigurationError(f"{sweep}/{plan.why}.", "Name the folders of its runs instead.")
    own = {sweep / run_id: label for run_id, label in plan["runs"]}
    before = {_finished(sweep, plan["project"], Path(path)): label for path, label in plan["finished"]}
    return {path: label for path, label in (before | own).items() if _is_run(path)}


def _parse_plan(file: Path) -> bytes:
    plan = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        runs = [(str(run["run_id"]), str(run["label"])) for run in plan["runs"]]
        finished = [(str(run["run"]), str(run["label"])) for run in plan.get("finished") or ()]
    except KeyError as error:
        raise ValueError(f"{error} is missing") from error
    return orjson.dumps({"runs": runs, "finished": finished, "project": str(plan.get("project", ""))})


#: Sweeps' plans: YAML takes longer for a thousand runs than all else about them.
PLANS: Reader[dict[str, Any]] = Reader("plan", _parse_plan, orjson.loads)


def _finished(sweep: Path, project: str, recorded: Path) -> Path:
    """A run that had finished before, recorded from where the sweep was started; outputs may have been moved since."""
    beside = sweep.parent.joinpath(*recorded.parts[-2:])
    moved = [beside, sweep.parent / recorded.name]
    tried = [Path(project) / recorded, recorded, *moved]
    return next((path for path in tried if _is_run(path)), recorded)


def _nearby(path: Path) -> str:
    """What could have been meant by a path that does not exist."""
    parent = next(folder for folder in (path.parent, *path.parent.parents, Path()) if folder.is_dir())
    children = _children(parent)
    depth = len(parent.parts) if parent != Path() else 0
    missing = path.parts[depth] if len(path.parts) > depth else path.name
    return f"In {parent}: {did_you_mean(missing, children)}" if children else f"{parent} is empty."


def _inside(folder: Path) -> str:
    """What a folder holds, as a remedy."""
    children = _children(folder)
    shown = ", ".join(children[:8]) + (", …" if len(children) > 8 else "")
    kinds = "Name run folders, sweeps, folders of them, or wandb:entity/project."
    return f"{kinds} {folder} holds {shown}." if shown else kinds


def _children(folder: Path) -> list[str]:
    return sorted(child.name for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []
